"""Scores: average precision by relative size, keypoint error, the report."""
