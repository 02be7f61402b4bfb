"""What Trask et al. 2018 (section 1.1, figure 1) published on the identity task: a picture, no numbers."""

FAILS = "fails"
"""The finding for every activation: it fails outside the training range."""
LEAST = "least"
"""The finding for the PReLU: it fails least."""
BEST = "prelu"
"""The activation that fails least."""
