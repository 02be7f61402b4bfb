"""What the arithmetic tasks share: problems, data, losses and thresholds. It is not a task."""
