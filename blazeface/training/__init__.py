"""Assignment, losses, the loop, checkpoints."""
