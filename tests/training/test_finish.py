"""What a run measures on the way."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_network import small_network
from wider_material import write_data

from blazeface.data.pictures import PictureCache
from blazeface.data.samples import load_split
from blazeface.evaluation.headline import headline_figures
from blazeface.evaluation.report import figures
from blazeface.training.finish import score_network, val_score


def test_the_score_on_the_way_looks_at_every_face_less_picture(tmp_path: Path) -> None:
    root = write_data(tmp_path / "data", train=1, val=9)
    labels = root / "wider_face_split" / "wider_face_val_bbx_gt.txt"
    images = root / "WIDER_val" / "images"
    (images / "neg_houses").mkdir()
    lines = labels.read_text()
    for i in range(3):  # the last three pictures, now as houses
        (images / "drawn" / f"{6 + i}.jpg").rename(images / "neg_houses" / f"{i}.jpg")
        lines = lines[: lines.index("drawn/6.jpg")] if i == 0 else lines
        lines += f"neg_houses/{i}.jpg\n0\n0 0 0 0 0 0 0 0 0 0\n"
    labels.write_text(lines)
    samples = load_split(root, "val")
    network = small_network().eval()

    row = val_score(samples, limit=3)(network)

    even = [samples[i] for i in (0, 3, 6)]  # two pictures with a face and one house
    seen = [*even, samples[7], samples[8]]
    found = score_network(network, seen, PictureCache([sample.path for sample in seen], 64, quiet=True))
    expected = figures(found[:3]) | headline_figures(found)
    assert row == pytest.approx(expected, nan_ok=True)
    assert {"AP >=.1", "recall >=.1 at houses", "recall >=.05 at houses"} <= set(row)
