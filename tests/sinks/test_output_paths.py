"""What --output and --json may name."""

from pathlib import Path, PurePath, PurePosixPath

import pytest

from blazeface.sinks.output_paths import WrongUsage, check_file, names_folder, plan_outputs
from blazeface.sources.inputs import Input


def picture(path: Path, relative: str | None = None) -> Input:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return Input("picture", str(path), str(path), PurePath(relative or path.name))


def clip(path: Path) -> Input:
    path.write_bytes(b"x")
    return Input("video", str(path), str(path), PurePath(path.name))


def test_when_a_folder_is_meant(tmp_path: Path) -> None:
    assert not names_folder(["a.jpg"], "b.jpg")
    assert not names_folder(["cam0"], "b.mp4")
    assert names_folder(["a.jpg"], "out/")
    assert names_folder(["a.jpg"], "out")
    assert names_folder(["a.jpg"], str(tmp_path))
    assert names_folder(["a.jpg", "b.jpg"], "b.jpg")
    assert names_folder([str(tmp_path)], "b.jpg")


def test_names_mirror_the_inputs_and_never_meet(tmp_path: Path) -> None:
    items = [
        picture(tmp_path / "p/x.jpg"),
        picture(tmp_path / "q/x.jpg"),
        picture(tmp_path / "r/X.JPG"),
        picture(tmp_path / "p/x.jpg"),
        picture(tmp_path / "in/deep/y.png", "deep/y.png"),
        picture(tmp_path / "p/scan.heic"),
        Input("camera", "cam0", "0", PurePath("cam0")),
        clip(tmp_path / "a.wmv"),
    ]
    names = [path.relative_to(tmp_path / "out") for path in plan_outputs(items, str(tmp_path / "out"), True)]
    assert [str(name) for name in names] == [
        "x.jpg",
        "x-2.jpg",
        "X-3.JPG",
        "x-4.jpg",
        "deep/y.png",
        "scan.heic.png",
        "cam0.mp4",
        "a.wmv.mp4",
    ]


def test_an_input_is_never_overwritten(tmp_path: Path) -> None:
    item = picture(tmp_path / "a.jpg")
    (tmp_path / "link.jpg").symlink_to(tmp_path / "a.jpg")
    for target in (tmp_path / "a.jpg", tmp_path / "link.jpg", tmp_path / "." / "a.jpg"):
        with pytest.raises(WrongUsage, match="would overwrite an input"):
            plan_outputs([item], str(target), False)
    with pytest.raises(WrongUsage, match="would overwrite an input"):
        plan_outputs([item, picture(tmp_path / "b.jpg")], str(tmp_path), True)


def test_formats_that_cannot_be_written_are_refused_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match=r"a picture cannot be written as \.mp4"):
        plan_outputs([picture(tmp_path / "a.jpg")], str(tmp_path / "b.mp4"), False)
    with pytest.raises(WrongUsage, match=r"a video cannot be written as \.png"):
        plan_outputs([clip(tmp_path / "a.mp4")], str(tmp_path / "b.png"), False)
    with pytest.raises(WrongUsage, match="does not exist"):
        plan_outputs([picture(tmp_path / "a.jpg")], str(tmp_path / "no" / "b.jpg"), False)


def test_a_file_where_a_folder_is_needed(tmp_path: Path) -> None:
    items = [picture(tmp_path / "a.jpg"), picture(tmp_path / "b.jpg")]
    with pytest.raises(WrongUsage, match="names a file, but a folder is needed"):
        plan_outputs(items, str(tmp_path / "out.jpg"), True)
    with pytest.raises(WrongUsage, match="is a file, but a folder is needed"):
        plan_outputs(items, str(tmp_path / "a.jpg"), True)


def test_json_names(tmp_path: Path) -> None:
    item = picture(tmp_path / "a.jpg")
    assert check_file("--json", str(tmp_path / "f.jsonl"), [], [item]) == tmp_path / "f.jsonl"
    strange = Input("picture", "b", str(tmp_path / "b.json"), PurePath("b"))
    (tmp_path / "b.json").touch()
    for path, outputs, message in (
        ("f.txt", [], "name a .json"),
        ("no/f.json", [], "does not exist"),
        ("b.json", [], "would overwrite an input"),
        ("f.json", [tmp_path / "f.json"], "is the same file as another that is written"),
    ):
        with pytest.raises(WrongUsage, match=message):
            check_file("--json", str(tmp_path / path), outputs, [item, strange])


def test_very_many_of_one_name_are_planned_in_linear_time(tmp_path: Path) -> None:
    """Counted, not timed: how often a name is made for 2,000 pictures of one name is about once each."""
    made = 0

    class Counted(PurePosixPath):
        def with_name(self, name: str) -> "Counted":
            nonlocal made
            made += 1
            return super().with_name(name)

    items = [Input("picture", f"{n}/0.jpg", f"{n}/0.jpg", Counted("0.jpg")) for n in range(2000)]
    items.insert(5, Input("picture", "0-3.jpg", "0-3.jpg", Counted("0-3.jpg")))
    plan = plan_outputs(items, str(tmp_path / "out"), True)
    assert [path.name for path in plan[:8]] == [
        "0.jpg", "0-2.jpg", "0-3.jpg", "0-4.jpg", "0-5.jpg", "0-3-2.jpg", "0-6.jpg", "0-7.jpg",
    ]  # fmt: skip
    assert len({path.name for path in plan}) == 2001
    assert made < 2 * len(items)
