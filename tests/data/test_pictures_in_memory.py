"""The picture cache: one copy in memory, whatever way the workers are started."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from blazeface.data import pictures
from blazeface.data.pictures import BLOCK, PictureCache, SharedPictures

PROGRAM = """
import sys
import torch.multiprocessing as mp
from pathlib import Path

def private(child, cache):
    total = sum(int(cache.get(i).sum()) for i in range(6))
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    memory = {line.split(":")[0]: int(line.split()[1]) for line in lines[1:]}
    child.send((total, memory["Private_Dirty"] // 1024))

if __name__ == "__main__":
    mp.set_start_method(sys.argv[1])
    from blazeface.data.pictures import PictureCache
    paths = [Path(sys.argv[2]) / f"{i}.png" for i in range(6)]
    cache, without = PictureCache(paths, 4096, True), PictureCache(paths, 0, True)
    found = []
    for each in (cache, without):
        parent, child = mp.Pipe()
        process = mp.Process(target=private, args=(child, each))
        process.start()
        found.append(parent.recv())
        process.join()
    print(*found[0], *found[1])
"""


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="memory is told by Linux")
@pytest.mark.parametrize("method", ["spawn", "fork"])
def test_a_worker_has_no_copy(tmp_path: Path, method: str) -> None:
    """Six pictures of 48 MB: a worker that was handed copies would have 288 MB of its own."""
    for i in range(6):
        cv2.imwrite(str(tmp_path / f"{i}.png"), np.full((4000, 4000, 3), i + 1, np.uint8))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    done = subprocess.run(
        [sys.executable, str(program), method, str(tmp_path)], capture_output=True, text=True, timeout=250
    )
    assert done.returncode == 0, done.stderr
    if "too little shared memory" in done.stderr:
        pytest.skip("this machine has too little shared memory")
    total, own, same, baseline = (int(word) for word in done.stdout.split())
    assert total == same == 21 * 4000 * 4000 * 3
    assert own < baseline + 100


def test_shared_pictures_are_the_pictures() -> None:
    rng = np.random.default_rng(0)
    kept = SharedPictures(4)
    images = [rng.integers(0, 256, shape, np.uint8) for shape in ((3, 5, 3), (BLOCK // 3 - 4, 1, 3), (7, 2, 3))]
    for index, image in enumerate(images):
        assert kept.keep(index, image)
    assert kept.get(3) is None
    for index, image in enumerate(images):
        found = kept.get(index)
        assert found is not None and (found == image).all()


def test_too_little_shared_memory_is_said_and_the_rest_is_read_from_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cv2.imwrite(str(tmp_path / "0.png"), np.full((8, 8, 3), 9, np.uint8))
    monkeypatch.setattr(pictures, "start_method", lambda: "spawn")
    monkeypatch.setattr(pictures, "free_shared_memory", lambda: BLOCK)
    cache = PictureCache([tmp_path / "0.png"], 64, quiet=True)
    assert "too little shared memory for all pictures: 0 of 1 are kept" in capsys.readouterr().err
    image = cache.get(0)
    assert image is not None and (image == 9).all()
