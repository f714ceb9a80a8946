"""The command behind each published figure, one folder a question; run from the root, as `python -m benchmarks.accuracy.peers`.

accuracy: AP of ours and of others' detectors. peers: the others' adapters. speed: time of a picture, pictures a second. keypoints: what
the keypoint error is made of. video: jitter and lag. lightweight: the light networks. export: formats and precisions. parity: the imported
networks against Google's. training: time of a step, sizes of the anchors. phones: the phones' C++ and Kotlin against Python.
Results go to results/.
"""

from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = Path(__file__).parent / "results"
