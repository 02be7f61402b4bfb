"""Training of one run, in one or several processes, with interruption and resuming."""
