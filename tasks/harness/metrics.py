"""The metric vocabulary: names that mean the same in all tasks, and the groups by which they are shown.

A metric has one value a seed. Its name is ``<group>/<what>``; a task adds names of its own in other groups, each with
its formula in the task's README.
"""

from __future__ import annotations

INTERPOLATION_ERROR = "interpolation/error"
EXTRAPOLATION_ERROR = "extrapolation/error"
SOLVED = "solved"

VOCABULARY = {
    "train/loss": "the loss of the last training batch",
    "train/error": "the error on the training examples",
    INTERPOLATION_ERROR: "the error on held-out examples from the training range; validation chooses by it",
    EXTRAPOLATION_ERROR: "the error outside the training range; it is only reported",
    SOLVED: "whether the extrapolation error is below the task's threshold",
    "weights/sparsity": "the largest distance of any effective weight to -1, 0 or 1",
    "gate/mean": "the mean gate: 1 for the additive path, 0 for the multiplicative path",
}
"""The shared names and what they measure."""

TRAINING_GROUPS = ("train", "weights", "gate")
"""Groups of metrics that describe training, in any task. Their names belong to the vocabulary alone."""

_CURVE = "curve/"


def curve(*point: object) -> str:
    """The name of one point of a curve: ``curve("reward", 12)`` is ``curve/reward/12``.

    The points of a curve are results of one evaluation, drawn together in a figure; TensorBoard shows no chart over
    time for each of them.
    """
    return _CURVE + "/".join(map(str, point))


def is_curve(name: str) -> bool:
    """Whether the metric is a point of a curve."""
    return name.startswith(_CURVE)


def group(name: str) -> str:
    """The group of a metric: what stands before the first slash."""
    return name.split("/")[0]
