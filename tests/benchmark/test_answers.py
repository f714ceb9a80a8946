"""What a contender found is asked once, kept by the picture's content, and dropped when the contender is another."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.accuracy.answers import Answers, to_detections
from benchmarks.peers.contenders import OURS, PEERS_TABLE, peer_options
from blazeface.errors import BlazeFaceError

ABOUT = {"title": "made", "versions": {"numpy": "2"}, "options": {"size": 128}}


class Contender:
    """Answers with one face per picture, as wide as the picture; counts how often it is asked."""

    def __init__(self) -> None:
        self.asked = 0

    def ask(self, do: str, file: str) -> dict[str, Any]:
        self.asked += 1
        width = np.load(file).shape[1]
        return {"boxes": [[0, 0, width, 9.0]], "scores": [0.75], "keypoints": [[[1.0, 2.0]] * 4]}


def pictures() -> list[np.ndarray]:
    return [np.zeros((9, 20, 3), np.uint8), np.zeros((20, 9, 3), np.uint8), np.full((9, 20, 3), 1, np.uint8)]


def test_each_picture_is_asked_once_also_by_a_later_run(tmp_path: Path) -> None:
    kept, contender = tmp_path / "deep" / "made.jsonl", Contender()
    with Answers(contender, ABOUT, kept) as answers:  # type: ignore[arg-type]
        found = answers.detect([*pictures(), *pictures()])
    assert contender.asked == 3  # the same bytes in another shape are another picture
    assert [row.boxes[0, 2] for row in found] == [20, 9, 20] * 2
    with kept.open("a") as file:
        file.write('{"digest": "cut off", "bo')
    with Answers(contender, ABOUT, kept) as answers:  # type: ignore[arg-type]
        assert answers.detect(pictures())[1].boxes[0, 2] == 9
        assert answers.date == json.loads(kept.read_text().splitlines()[0])["date"]
    assert contender.asked == 3


@pytest.mark.parametrize("change", [{"options": {"size": 160}}, {"versions": {"numpy": "3"}}])
def test_another_detector_is_asked_anew(tmp_path: Path, change: dict[str, Any]) -> None:
    kept, contender = tmp_path / "made.jsonl", Contender()
    for about in (ABOUT, {**ABOUT, **change}):
        with Answers(contender, about, kept) as answers:  # type: ignore[arg-type]
            answers.detect(pictures())
    assert contender.asked == 6
    with Answers(contender, {**ABOUT, **change}, kept, fresh=True) as answers:  # type: ignore[arg-type]
        answers.detect(pictures())
    assert contender.asked == 9


def test_rows_become_detections_best_first_and_from_the_score_cut_up() -> None:
    row = {"boxes": [[0, 0, 1, 1], [0, 0, 2, 2], [0, 0, 3, 3]], "scores": [0.5, 1.00001, 0.01], "keypoints": []}
    found = to_detections(row)
    assert found.scores.tolist() == [1.0, 0.5] and found.boxes[:, 2].tolist() == [2, 1]
    assert found.keypoints.shape == (2, 0, 2)
    assert len(to_detections({"boxes": [], "scores": [], "keypoints": []})) == 0


def test_files_that_no_package_carries_are_named_by_the_user(tmp_path: Path) -> None:
    peers = {peer.name: peer for peer in (*OURS, *PEERS_TABLE)}
    assert peer_options(peers["front-128"], None, None) == {"model": "front-128"}
    with pytest.raises(BlazeFaceError, match="--peers"):
        peer_options(peers["yunet-n-160"], None, None)
    with pytest.raises(BlazeFaceError, match="no such file"):
        peer_options(peers["centerface-native"], None, tmp_path)
    with pytest.raises(BlazeFaceError, match="--yunet"):
        peer_options(peers["yunet-320"], None, tmp_path)
    (tmp_path / "yunet_n_dynamic.onnx").write_bytes(b"")
    options = peer_options(peers["yunet-n-160"], None, tmp_path)
    assert options == {"file": str((tmp_path / "yunet_n_dynamic.onnx").resolve()), "size": 160}
    assert len(peers) == len(OURS) + len(PEERS_TABLE)  # names are file names: none twice
    assert all(peer.file.is_file() for peer in peers.values())
