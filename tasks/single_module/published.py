"""What Mistry et al. 2022 (arXiv:2101.09530) published on the single-module benchmark.

They show success rates only as plots, so there is no published number to compare with. Their protocol defines when a
unit counts as solved.
"""

from tasks.arithmetic.thresholds import UNIT_EPSILON

EPSILON = UNIT_EPSILON
"""The weights of the almost perfect unit are off by this much; see :func:`tasks.arithmetic.thresholds.of_unit`."""
STRICT_EPSILON = 1e-5
"""The same for our stricter count."""
