"""Training on one GPU that is fast enough to wait for its pictures: views are cut out by the CPU's processes, drawn several
times from a pool on the GPU, and mirrored and disturbed there anew each time."""
