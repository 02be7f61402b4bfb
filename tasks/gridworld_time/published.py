"""What Trask et al. 2018, section 4.5, published on the grid world, and the bounds by which we test their claims.

The claims are quoted from memory, not checked against the paper. They were read from a figure. The number of seeds is
not known.
"""

PUBLISHED = {
    "lstm": "gets worse for T > 13, as if T were 12",
    "nac": "good to T = 19; beyond 20 never arrives",
}
"""The published claim for each instruction path."""

FAR_T = 19
"""The largest T at which the paper's NAC agent is good. The verdicts compare our runs with the claims at this T."""
GOOD = 0.95
"""A reward is good if it is at least this fraction of the optimal reward."""
AS_IF, NEAR = 12, 1
"""An agent acts as if T were 12 if it arrives at 12, or at most one step earlier or later."""
