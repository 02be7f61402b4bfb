"""Reports from the records of runs. No module here trains."""
