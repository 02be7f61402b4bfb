"""When a seed counts as a success: its error is not significantly above that of exact accumulation.

Madsen & Johansen 2020 (arXiv:2001.05016): the same convnet is trained with the right sum or product in the cell's
place, over several seeds, and the threshold is the upper end of the one-sided 99 % interval of their mean error.
"""

from __future__ import annotations

import math

import numpy as np

CONFIDENCE = 0.99


def threshold(errors: np.ndarray) -> float:
    """mean + t_{0.99, n-1} sd / sqrt(n) of the squared errors of ``n`` seeds; NaN below two of them."""
    from scipy import stats  # takes a second, which the command line can do without

    n = len(errors)
    if n < 2:
        return math.nan
    return float(errors.mean() + stats.t.ppf(CONFIDENCE, n - 1) * errors.std(ddof=1) / math.sqrt(n))
