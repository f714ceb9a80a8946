"""Very many pictures on a Ray cluster of two processes on this machine."""

import json
from pathlib import Path

import numpy as np
import pytest

from blazeface.batch import ray_pool as ray_crew
from blazeface.batch.ray_pool import RayPool
from blazeface.batch.run import WorkerExit, outcomes_in_order
from blazeface.errors import BlazeFaceError
from blazeface.files.pictures import write_picture
from blazeface.options import LookOptions


def test_without_ray_a_sentence_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(BlazeFaceError, match=r"--engine ray needs Ray: run pip install -e '\.\[ray\]'"):
        RayPool(2, LookOptions())


@pytest.fixture
def local_ray(monkeypatch: pytest.MonkeyPatch) -> None:
    """RayPool makes a cluster on this machine, with a process for each of its workers."""
    pytest.importorskip("ray", reason="Ray is not installed: run pip install -e '.[ray]'")
    monkeypatch.delenv("RAY_ADDRESS", raising=False)


@pytest.fixture
def names(tmp_path: Path) -> list[str]:
    for n in range(50):
        write_picture(tmp_path / f"{n:02d}.png", np.full((40, 60, 3), n, np.uint8))
    (tmp_path / "20.png").write_bytes(b"no picture")
    return sorted(str(path) for path in tmp_path.iterdir())


def test_two_workers_give_the_lines_in_order(local_ray: None, names: list[str]) -> None:
    pool = RayPool(2, LookOptions())
    try:
        done = [out for chunk in outcomes_in_order(names, pool, lambda: False) for out in chunk]
        assert len(pool._actors) == 2
    finally:
        pool.close()
    assert [json.loads(out.line)["source"] for out in done if out.line is not None] == names[:20] + names[21:]
    assert done[20].fault == f"{names[20]}: not a picture, or a damaged one"


def test_an_actor_that_dies_is_replaced(
    local_ray: None, names: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pool = RayPool(1, LookOptions())
    deaths: list[WorkerExit] = []
    real = ray_crew.RayPool.wait

    def wait(self: RayPool, seconds: float) -> object:
        back = real(self, seconds)
        deaths.extend(outcome for _, outcome in back if isinstance(outcome, WorkerExit))
        return back

    monkeypatch.setattr(ray_crew.RayPool, "wait", wait)
    killed: list[bool] = []

    def kill() -> bool:
        if not killed and pool._actors:
            pool._ray.kill(pool._actors[0])
            killed.append(True)
        return False

    try:
        done = [out for chunk in outcomes_in_order(names[:18], pool, kill) for out in chunk]
    finally:
        pool.close()
    assert len(deaths) == 1
    assert [json.loads(out.line)["source"] for out in done if out.line is not None] == names[:18]
