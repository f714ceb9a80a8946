"""scikit-learn's handwritten digits as folders of pictures, for `blazeface classify`.

    python -m benchmarks.lightweight.digits --out digits

1,797 grey pictures of 8 x 8 pixels, ten classes (E. Alpaydin and C. Kaynak, "Optical Recognition of Handwritten Digits", UCI
Machine Learning Repository, CC BY 4.0). The file has them writer by writer, so that the last fifth, which becomes
`val`, was mostly written by people who are not in `train`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from blazeface.errors import BlazeFaceError

VAL = 360
"""The last so many are for validation."""


def main() -> None:
    parser = argparse.ArgumentParser(description="Write scikit-learn's digits as folders of pictures.")
    parser.add_argument("--out", type=Path, required=True, metavar="ROOT", help="gets train/CLASS and val/CLASS")
    args = parser.parse_args()
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise SystemExit(f"scikit-learn has the digits: python -m pip install scikit-learn ({error})") from error
    digits = load_digits()
    try:
        counts = write_folders(digits.images, digits.target, args.out)
    except BlazeFaceError as error:
        raise SystemExit(str(error)) from error
    print(f"{counts['train']:,} pictures to train on and {counts['val']:,} for validation in {args.out}")


def write_folders(images: NDArray[np.float64], classes: NDArray[np.int64], root: Path) -> dict[str, int]:
    """images: (N, 8, 8) of 0 to 16. How many went into each split. Raises BlazeFaceError where root is there already."""
    if root.exists():
        raise BlazeFaceError(f"{root}: exists already")
    counts = {"train": 0, "val": 0}
    for index, (image, name) in enumerate(zip(images, classes, strict=True)):
        split = "val" if index >= len(images) - VAL else "train"
        folder = root / split / str(name)
        folder.mkdir(parents=True, exist_ok=True)
        written = cv2.imwrite(str(folder / f"{index:04d}.png"), np.rint(image * 255 / 16).astype(np.uint8))
        assert written
        counts[split] += 1
    return counts


if __name__ == "__main__":
    main()
