"""WIDER FACE's zips: named, checked, unpacked, and unpacked again after a kill."""

from __future__ import annotations

import dataclasses
import hashlib
import zipfile
from pathlib import Path

import pytest

from blazeface.cli.main import run_command
from blazeface.data import prepare as module
from blazeface.data.prepare import prepare
from blazeface.errors import BlazeFaceError

PICTURE = b"\xff\xd8 a photograph"


def make_zip(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def pictures(split: str, count: int) -> dict[str, bytes]:
    return {f"WIDER_{split}/images/0--Parade/{i}.jpg": PICTURE + bytes([i]) for i in range(count)}


def label_text(count: int) -> bytes:
    return "".join(
        f"0--Parade/{i}.jpg\n2\n1 2 3 4 0 0 0 0 0 0\n5 6 7 8 0 0 0 0 0 0\n" for i in range(count)
    ).encode()


@pytest.fixture
def downloads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three zips of the same form with 3 and 2 pictures, known by their sums."""
    folder = tmp_path / "downloads"
    folder.mkdir()
    split = {f"wider_face_split/wider_face_{s}_bbx_gt.txt": label_text(n) for s, n in (("train", 3), ("val", 2))}
    paths = [
        make_zip(folder / "WIDER_train.zip", pictures("train", 3)),
        make_zip(folder / "WIDER_val.zip", pictures("val", 2)),
        make_zip(folder / "wider_face_split.zip", split),
    ]
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in paths[:2]}
    counts = {"WIDER_train.zip": 3, "WIDER_val.zip": 2}
    parts = tuple(
        dataclasses.replace(part, md5=sums.get(part.zip, ""), pictures=counts.get(part.zip, 0))
        for part in module.PARTS
    )
    monkeypatch.setattr(module, "PARTS", parts)
    monkeypatch.setattr(module, "LABELS", {"train": (3, 6), "val": (2, 4)})
    return folder


def test_the_command(downloads: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "wider"
    assert run_command("data", ["prepare", str(downloads), "--out", str(root), "--quiet"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "WIDER_train.zip: the pictures to train on, 3 files unpacked, 0 were there",
        "WIDER_val.zip: the pictures of val, 2 files unpacked, 0 were there",
        "wider_face_split.zip: the labels of both, 2 files unpacked, 0 were there",
        "train: 3 pictures, all there; 6 labelled boxes",
        "val: 2 pictures, all there; 4 labelled boxes",
    ]
    assert (root / "WIDER_train/images/0--Parade/2.jpg").read_bytes() == PICTURE + b"\x02"


def test_it_goes_on_where_it_was_stopped(downloads: Path, tmp_path: Path) -> None:
    root = tmp_path / "wider"
    list(prepare(downloads, root, quiet=True))
    (root / "WIDER_val/images/0--Parade/1.jpg").unlink()
    assert "1 files unpacked, 1 were there" in list(prepare(downloads, root, quiet=True))[1]
    # A user's own file of another size stays what it is.
    (root / "WIDER_val/images/0--Parade/1.jpg").write_bytes(b"mine")
    with pytest.raises(BlazeFaceError, match=r"1\.jpg: "):
        list(prepare(downloads, root, quiet=True))
    assert (root / "WIDER_val/images/0--Parade/1.jpg").read_bytes() == b"mine"


def test_missing_zips_are_named_with_what_they_are_for(downloads: Path, tmp_path: Path) -> None:
    (downloads / "WIDER_val.zip").unlink()
    (downloads / "wider_face_split.zip").unlink()
    with pytest.raises(BlazeFaceError) as caught:
        list(prepare(downloads, tmp_path / "wider", quiet=True))
    for words in ("WIDER_val.zip (the pictures of val), wider_face_split.zip (the labels of both) are not there", "home page of WIDER FACE"):  # fmt: skip
        assert words in str(caught.value)
    assert not (tmp_path / "wider").exists()


def test_a_browsers_number_in_the_name(downloads: Path, tmp_path: Path) -> None:
    (downloads / "WIDER_val.zip").rename(downloads / "wider_val (1).ZIP")
    assert len(list(prepare(downloads, tmp_path / "wider", quiet=True))) == 5


def test_another_file_is_refused_before_anything_is_unpacked(downloads: Path, tmp_path: Path) -> None:
    path = downloads / "WIDER_train.zip"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(BlazeFaceError, match=r"not WIDER FACE's WIDER_train\.zip, or cut short: its MD5 is"):
        list(prepare(downloads, tmp_path / "wider", quiet=True))
    assert not (tmp_path / "wider").exists()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wider_face_split/../../outside.txt", "leads out of its folder"),
        ("/etc/outside.txt", "leads out of its folder"),
        ("C:\\outside.txt", "leads out of its folder"),
        ("elsewhere/readme.txt", "expected wider_face_split/... in it"),
    ],
)
def test_names_that_lead_out_of_the_zip(name: str, words: str, downloads: Path, tmp_path: Path) -> None:
    make_zip(downloads / "wider_face_split.zip", {name: b"x"})
    with pytest.raises(BlazeFaceError, match=words):
        list(prepare(downloads, tmp_path / "wider", quiet=True))
    assert not list(tmp_path.glob("*outside*"))


def test_labels_that_would_fill_the_disk(downloads: Path, tmp_path: Path) -> None:
    """Of the labels no checksum is known, and zeros are packed a thousandfold."""
    with zipfile.ZipFile(downloads / "wider_face_split.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            archive.writestr(f"wider_face_split/{number}.txt", bytes(100 << 20))
    (tmp_path / "wider" / "wider_face_split").mkdir(parents=True)
    with pytest.raises(BlazeFaceError, match="larger than any such zip"):
        list(prepare(downloads, tmp_path / "wider", quiet=True))
    assert not list((tmp_path / "wider" / "wider_face_split").iterdir())


def test_a_link_in_a_zip(downloads: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(downloads / "wider_face_split.zip", "w") as archive:
        info = zipfile.ZipInfo("wider_face_split/a.txt")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    with pytest.raises(BlazeFaceError, match="leads out of its folder"):
        list(prepare(downloads, tmp_path / "wider", quiet=True))


def test_no_zip_at_all(downloads: Path, tmp_path: Path) -> None:
    (downloads / "wider_face_split.zip").write_bytes(b"<html>")
    with pytest.raises(BlazeFaceError, match=r"wider_face_split\.zip: not a zip that can be unpacked"):
        list(prepare(downloads, tmp_path / "wider", quiet=True))
    with pytest.raises(BlazeFaceError, match="nowhere: no such folder"):
        list(prepare(tmp_path / "nowhere", tmp_path / "wider", quiet=True))


def test_damaged_contents_of_a_zip(downloads: Path, tmp_path: Path) -> None:
    path = downloads / "wider_face_split.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("wider_face_split/a.txt", bytes(range(256)) * 40)
    data = bytearray(path.read_bytes())
    data[60:90] = b"\xff" * 30
    path.write_bytes(data)
    with pytest.raises(BlazeFaceError, match=r"wider_face_split\.zip: not a zip that can be unpacked"):
        list(prepare(downloads, tmp_path / "wider", quiet=True))
    assert not list((tmp_path / "wider").rglob("*.txt"))


def test_labels_of_another_number(downloads: Path, tmp_path: Path) -> None:
    name = "wider_face_split/wider_face_{}_bbx_gt.txt"
    make_zip(
        downloads / "wider_face_split.zip",
        {name.format("train"): label_text(3), name.format("val"): label_text(1)},
    )
    with pytest.raises(BlazeFaceError, match="1 pictures and 2 boxes, the official list has 2 and 4"):
        list(prepare(downloads, tmp_path / "wider", quiet=True))


def test_the_official_list_of_val_has_the_known_numbers() -> None:
    path = Path(__file__).parents[3] / "shared" / "wider_official" / "wider_face_val_bbx_gt.txt"
    if not path.is_file():
        pytest.skip("WIDER FACE's own list is not beside the repository")
    from blazeface.data.formats.wider import read_wider

    listed = read_wider(path)
    assert (len(listed), sum(len(each.faces) for each in listed)) == module.LABELS["val"]
