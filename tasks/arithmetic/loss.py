"""Losses of every seed: the mean squared error, and a variant that weights the mean of the error separately."""

from __future__ import annotations

from torch import Tensor


def squared_error(prediction: Tensor, target: Tensor) -> Tensor:
    """Mean squared error of every seed, ``(S, B, 1) -> (S,)``."""
    return (prediction - target).square().mean(dim=(1, 2))


def centred_loss(prediction: Tensor, target: Tensor, bias_weight: float) -> Tensor:
    """Variance of the error over the batch plus ``bias_weight`` times its squared mean, ``(S, B, 1) -> (S,)``.

    With weight 1 it is the mean squared error. Its minimum is the same for every positive weight; its conditioning is
    not. The inputs have mean 1.5 and variance 1/12. The loss is therefore thousands of times steeper in the mean of the
    weights than in their differences, and errors of the differences hide behind errors of the mean.
    """
    error = prediction - target
    return error.var(dim=(1, 2), correction=0) + bias_weight * error.mean(dim=(1, 2)).square()
