"""Networks in PyTorch: blocks, layouts (tables of numbers), BlazeFace itself, weights on disk."""
