"""Training on one GPU that need not wait for its pictures: the CPU's processes cut out views alone, which are drawn several
times from a pool on the GPU, and mirrored and disturbed there anew each time."""
