"""Robustness to conditions that the labelled pictures lack: rotated, blurred, occluded and centred faces."""
