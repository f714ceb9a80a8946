"""What a run writes never replaces a file that it did not make, unless `--overwrite` is given; inputs never."""

import json
from pathlib import Path

import pytest
from test_detect import Detect, detect, made, red_picture, red_video  # noqa: F401 (fixtures)

from blazeface.batch.run import resumable
from blazeface.errors import BlazeFaceError
from blazeface.files.staged import staged_file

MINE = b"a photograph of the user's"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("flag", "value", "there"),
    [
        ("--output", "b.png", "b.png"),
        ("--output", "found", "found/a.png"),
        ("--json", "f.json", "f.json"),
        ("--jsonl", "f.jsonl", "f.jsonl"),
        ("--csv", "f.csv", "f.csv"),
        ("--coco", "f.json", "f.json"),
        ("--yolo", "y", "y/a.txt"),
        ("--yolo", ".", "a.txt"),
        ("--crop", "c", "c/a-1.jpg"),
        ("--crop", ".", "A-7.JPG"),
    ],
)
def test_a_file_that_is_there_is_named_and_stays_until_overwriting_is_asked_for(
    tmp_path: Path,
    detect: Detect,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flag: str,
    value: str,
    there: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    red_picture(Path("a.png"))
    Path(there).parent.mkdir(exist_ok=True)
    Path(there).write_bytes(MINE)
    before = contents(tmp_path)
    assert detect("a.png", flag, value, "--quiet") == 2
    assert capsys.readouterr().err == f"detect: {flag} {there}: exists already (--overwrite replaces it)\n"
    assert contents(tmp_path) == before
    assert detect("a.png", flag, value, "--quiet", "--overwrite") == 0
    capsys.readouterr()
    if there != "A-7.JPG":  # a crop of the same stem, but of a face that is not there
        assert Path(there).read_bytes() != MINE


def test_a_crop_never_replaces_an_input(
    tmp_path: Path,
    detect: Detect,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    red_picture(tmp_path / "a.png")
    red_picture(tmp_path / "a-1.jpg")
    before = contents(tmp_path)
    for flags in ([], ["--overwrite"]):
        assert detect(tmp_path, "--crop", tmp_path, *flags) == 2
        assert f"{tmp_path / 'a-1.jpg'}: would overwrite an input" in capsys.readouterr().err
        assert contents(tmp_path) == before


def test_a_video_that_may_leave_crops_is_refused_for_those_of_another_run(
    tmp_path: Path,
    detect: Detect,  # noqa: F811
) -> None:
    clip = red_video(tmp_path / "c.mp4", count=3)
    flags = ("--crop", tmp_path / "crops", "--no-window", "--quiet")
    assert detect(clip, *flags) == 0
    before = contents(tmp_path)
    assert detect(clip, *flags) == 2
    assert detect(clip, *flags, "--overwrite") == 0
    assert sorted(contents(tmp_path)) == sorted(before)


def test_a_frame_and_a_picture_never_share_a_name(
    tmp_path: Path,
    detect: Detect,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    inputs = [red_video(tmp_path / "c.mp4", count=3), red_picture(tmp_path / "c-000001.png")]
    assert detect(*inputs, "--yolo", tmp_path / "y", "--no-window") == 2
    assert "c-000001.png and a frame of" in capsys.readouterr().err


def test_a_file_that_comes_during_the_run_stays(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with (
        pytest.raises(BlazeFaceError, match=r"a\.txt: exists already"),
        staged_file(target, replace=False) as part,
    ):
        part.write_text("new")
        target.write_text("theirs")
    assert contents(tmp_path) == {"a.txt": b"theirs"}
    with staged_file(target) as part:
        part.write_text("new")
    assert contents(tmp_path) == {"a.txt": b"new"}


def test_where_there_are_no_hard_links_a_file_stays_as_well(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def link(*_: object) -> None:
        raise PermissionError

    monkeypatch.setattr("os.link", link)
    with staged_file(tmp_path / "a.txt", replace=False) as part:
        part.write_text("first")
    with pytest.raises(BlazeFaceError, match="exists already"), staged_file(tmp_path / "a.txt", False) as part:
        part.write_text("second")
    assert contents(tmp_path) == {"a.txt": b"first"}


def test_a_finished_run_over_many_is_resumed_but_not_replaced(
    tmp_path: Path,
    detect: Detect,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    red_picture(tmp_path / "a.png")
    target = tmp_path / "f.jsonl"
    target.write_text('{"source": "x"}\n')
    assert detect(tmp_path / "a.png", "--jobs", "1", "--jsonl", target) == 2
    assert "f.jsonl: exists already (--overwrite replaces it)" in capsys.readouterr().err
    with resumable(target, resume=True) as (file, done):
        assert done("x") and not done("y")
        file.write(b'{"source": "y"}\n')
    assert [json.loads(line)["source"] for line in target.read_text().splitlines()] == ["x", "y"]
    (tmp_path / "f.jsonl.part").write_text('{"source": "z"}\n')  # of a second run, beside the finished file
    with pytest.raises(BlazeFaceError, match=r"f\.jsonl: exists already"), resumable(target, resume=True):
        pass
    with resumable(target, resume=True, overwrite=True):
        pass
    assert target.read_text() == '{"source": "z"}\n'


def test_a_name_too_long_for_a_crop_is_told_and_the_others_are_done(
    tmp_path: Path,
    detect: Detect,  # noqa: F811
    capsys: pytest.CaptureFixture[str],
) -> None:
    red_picture(tmp_path / "in" / ("a" * 251 + ".png"))
    red_picture(tmp_path / "in" / "b.png")
    status = detect(
        tmp_path / "in",
        "--crop",
        tmp_path / "c",
        "--yolo",
        tmp_path / "y",
        "--json",
        tmp_path / "f.json",
        "--quiet",
    )
    err = capsys.readouterr().err
    assert status == 1
    assert [path.name for path in (tmp_path / "c").iterdir()] == ["b-1.jpg"]
    assert len(list((tmp_path / "y").iterdir())) == 2
    assert len(json.loads((tmp_path / "f.json").read_text())) == 2
    assert err.endswith(f"{'a' * 251}-1.jpg: cannot be written: File name too long\n")
    assert len(err.splitlines()) == 1
