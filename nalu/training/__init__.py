"""Training many seeds at once: ensembles, their gradients and their optimisers."""
