"""Exports, each verified against PyTorch before it is written."""
