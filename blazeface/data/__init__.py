"""Labelled pictures: readers, crops and augmentation, the torch data set."""
