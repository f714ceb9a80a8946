"""Very many pictures: worker pools, results in order, resuming."""
