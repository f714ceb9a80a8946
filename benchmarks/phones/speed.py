"""How long what is around the network takes in C++, on one thread, for frames of 1280 x 720.

    python -m benchmarks.phones.speed            # on a machine with nothing else to do

Compiles phones/cpp/checks/speed.cpp with -O3, prints its medians and writes benchmarks/results/phones_speed.json.
"""

from __future__ import annotations

import json
import subprocess
import tempfile
from pathlib import Path

from benchmarks import RESULTS
from benchmarks.phones.programs import compile_cpp
from blazeface.files.staged import write_text


def measure() -> list[dict[str, object]]:
    """A row for each kind of buffer and layout; times in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        program = compile_cpp("checks/speed.cpp", Path(folder) / "speed", ("-O3",))
        done = subprocess.run([program], capture_output=True, text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    rows = measure()
    for row in rows:
        print(
            f"{row['buffer']}; {row['layout']}: {row['before']} ms before the network, {row['after']} ms after it"
        )
    write_text(RESULTS / "phones_speed.json", json.dumps(rows, indent=2) + "\n")
