"""Telling inputs apart, and walking folders."""

import os
from pathlib import Path, PurePath

import pytest

from blazeface.errors import BlazeFaceError
from blazeface.sources.inputs import find_input, find_inputs


def touch(path: Path, content: bytes = b"x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def refuse(fault: BlazeFaceError) -> None:
    raise AssertionError(f"unexpected fault: {fault}")


@pytest.mark.parametrize(
    ("text", "kind", "name", "address"),
    [
        ("cam0", "camera", "cam0", "0"),
        ("cam12", "camera", "cam12", "12"),
        ("1", "camera", "cam1", "1"),
        ("/dev/video3", "camera", "cam3", "3"),
        ("rtsp://u:secret@h/live", "stream", "rtsp://***@h/live", "rtsp://u:secret@h/live"),
        ("HTTP://h/x", "stream", "HTTP://h/x", "HTTP://h/x"),
        ("udp://127.0.0.1:9", "stream", "udp://127.0.0.1:9", "udp://127.0.0.1:9"),
    ],
)
def test_cameras_and_streams(text: str, kind: str, name: str, address: str) -> None:
    item = find_input(text)
    assert (item.kind, item.name, item.address) == (kind, name, address)
    assert "secret" not in repr(item)


def test_files_are_told_apart_by_suffix_and_then_by_content(tmp_path: Path) -> None:
    png = b"\x89PNG\r\n\x1a\n" + bytes(100)
    assert find_input(str(touch(tmp_path / "a.JPG"))).kind == "picture"
    assert find_input(str(touch(tmp_path / "a.MP4"))).kind == "video"
    assert find_input(str(touch(tmp_path / "picture", png))).kind == "picture"
    assert find_input(str(touch(tmp_path / "video", bytes(100)))).kind == "video"
    with pytest.raises(BlazeFaceError, match=r"notes\.txt: neither a picture nor a video$"):
        find_input(str(touch(tmp_path / "notes.txt", b"hello")))


@pytest.mark.parametrize("text", ["cam", "webcam", "Camera 1", "webcam0", "CAM0"])
def test_what_is_nearly_a_camera_is_told_its_name(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(BlazeFaceError, match=f"^{text}: no such file or folder; the first camera is called cam0$"):
        find_input(text)
    (tmp_path / text).write_bytes(b"\x89PNG\r\n\x1a\n")
    assert find_input(text).kind == "picture"


def test_a_file_called_like_a_camera_is_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    touch(tmp_path / "cam0", bytes(100))
    assert find_input("cam0").kind == "video"


@pytest.mark.parametrize("text", ["rtsp:/u:secret@h/live", "file:///u:secret@h", "concat://u:secret@h|b"])
def test_other_addresses_are_refused_without_their_secrets(text: str) -> None:
    with pytest.raises(BlazeFaceError, match="an address must begin with rtsp://") as caught:
        find_input(text)
    assert "secret" not in str(caught.value)


def test_a_pipe_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(BlazeFaceError, match="is a pipe or a device, not a file"):
        find_input(str(tmp_path / "pipe.mp4"))


def test_folders_are_walked_in_sorted_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (
        "b.png",
        "a/z.jpg",
        "a/y/1.bmp",
        "a.jpg",
        "C.webp",
        "notes.txt",
        "source.mp4",
        ".hidden.jpg",
        ".t/x.jpg",
    ):
        touch(tmp_path / "in" / name)
    found = find_inputs(["in"], refuse)
    assert [item.name for item in found] == ["in/C.webp", "in/a/y/1.bmp", "in/a/z.jpg", "in/a.jpg", "in/b.png"]
    assert found[1].relative == PurePath("a/y/1.bmp")
    assert {item.kind for item in found} == {"picture"}


def test_the_output_folder_inside_an_input_folder_is_passed_over(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    touch(tmp_path / "found" / "a.jpg")
    found = find_inputs([str(tmp_path)], refuse, skip=[str(tmp_path / "found")])
    assert [item.relative for item in found] == [PurePath("a.jpg")]


def test_faults_are_reported_in_place_and_the_rest_is_found(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    picture = touch(tmp_path / "a.jpg")
    faults: list[str] = []
    texts = [str(tmp_path / "missing.jpg"), str(picture), str(tmp_path / "none")]
    found = find_inputs(texts, lambda fault: faults.append(str(fault)))
    assert [item.name for item in found] == [str(picture)]
    assert faults == [f"{texts[0]}: no such file or folder", f"{texts[2]}: holds no pictures or videos"]


def test_several_folders_keep_their_own_names_below_the_output(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        touch(tmp_path / folder / "a.jpg")
    found = find_inputs([str(tmp_path / "one"), str(tmp_path / "two")], refuse)
    assert [item.relative for item in found] == [PurePath("one/a.jpg"), PurePath("two/a.jpg")]


def test_a_link_that_leads_back_does_not_loop(tmp_path: Path) -> None:
    touch(tmp_path / "a.jpg")
    (tmp_path / "again").symlink_to(tmp_path)
    assert len(find_inputs([str(tmp_path)], refuse)) == 1
