"""Reports from the records of runs. Nothing here trains."""
