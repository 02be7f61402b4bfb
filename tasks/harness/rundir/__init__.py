"""The run directory: creation, locking, recording, checkpoints, resuming."""
