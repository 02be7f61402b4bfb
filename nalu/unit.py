"""What all arithmetic units have in common."""

from __future__ import annotations

from torch import Tensor, nn


class ArithmeticUnit(nn.Module):
    """A layer of two sizes: ``(..., in_features) -> (..., out_features)``.

    Raises:
        ValueError: for a number of features below 1.
    """

    neutral = 0.0
    """The state from which a recurrent use of the unit starts: 0 for sums, 1 for products."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.in_features, self.out_features = check_features(in_features, out_features)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}"


class WeightedUnit(ArithmeticUnit):
    """A unit with effective weights of its own, which are to become -1, 0 or 1.

    A subclass has ``W``, and ``snap_()``, which sets the parameters to the nearest such weights; that is what
    :mod:`nalu.inspection` asks for.
    """

    @property
    def W(self) -> Tensor:
        """The main effective weights."""
        raise NotImplementedError

    def effective_weights(self) -> dict[str, Tensor]:
        """The effective weights by the name of the part (``""`` for the main one), each a matrix.

        Parameters that are stacked over seeds give stacked weights.
        """
        return {"": self.W}


def check_features(in_features: int, out_features: int) -> tuple[int, int]:
    """The two sizes of a layer, or a ValueError that names the wrong one."""
    for name, value in (("in_features", in_features), ("out_features", out_features)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    return in_features, out_features
