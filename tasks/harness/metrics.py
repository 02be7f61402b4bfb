"""The metric vocabulary: names that mean the same in all tasks, and the groups in which they are shown.

A metric has one value per seed. Its name is ``<group>/<quantity>``. A task may add names in other groups; its README
gives their formulas.
"""

from __future__ import annotations

INTERPOLATION_ERROR = "interpolation/error"
EXTRAPOLATION_ERROR = "extrapolation/error"
SOLVED = "solved"

VOCABULARY = {
    "train/loss": "the loss of the last training batch",
    "train/error": "the error on the training examples",
    INTERPOLATION_ERROR: "the error on held-out examples from the training range; it chooses the step that counts",
    EXTRAPOLATION_ERROR: "the error outside the training range; only reported, never used",
    SOLVED: "whether the extrapolation error is below the task's threshold",
    "weights/sparsity": "the largest distance of any effective weight to -1, 0 or 1",
    "weights/network_sparsity": "the same distance for the product of all layers, where all of them are additive",
    "gate/mean": "the mean gate: 1 for the additive path, 0 for the multiplicative path",
}
"""The shared names and what they measure."""

TRAINING_GROUPS = ("train", "weights", "gate")
"""Groups of metrics that describe training in every task. Only the vocabulary defines names in these groups."""

_CURVE = "curve/"


def curve(*point: object) -> str:
    """The name of one point of a curve: ``curve("reward", 12)`` is ``curve/reward/12``.

    The points of a curve come from one evaluation and are drawn together in a figure. TensorBoard shows no chart over
    time for them.
    """
    return _CURVE + "/".join(map(str, point))


def is_curve(name: str) -> bool:
    """Whether the metric is a point of a curve."""
    return name.startswith(_CURVE)


def group(name: str) -> str:
    """The group of a metric: the part before the first slash."""
    return name.split("/")[0]


def in_vocabulary(name: str) -> bool:
    """Whether a metric has a name of the vocabulary, or such a name and a part of the task: weights/sparsity/U1..2."""
    return any(name == known or name.startswith(f"{known}/") for known in VOCABULARY)
