"""The tree of modules as a PyTorch module: text that imports PyTorch and nothing else."""
