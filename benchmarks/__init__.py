"""Speed of every task, beside the obvious loop, the floor and rivals: ``python -m benchmarks``."""
