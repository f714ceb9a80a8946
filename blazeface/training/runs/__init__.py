"""What a run keeps beside its checkpoint: where it started, which data it saw, its best weights so far."""
