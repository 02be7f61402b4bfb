"""Speed of every task, beside the baseline, the floor and comparisons: ``python -m benchmarks``."""
