"""Tasks beside the detectors, each a network, its batches and its loss, trained by `training.loop`."""
