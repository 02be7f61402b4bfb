"""Published figures, each with its source; none yet."""

SUCCESSES: dict[str, tuple[int, int]] = {}
"""Cell to the published number of seeds that were solved, and of seeds."""
