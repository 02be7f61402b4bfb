"""The arithmetic units under test, by name, with the options that change their mathematics."""

from collections.abc import Callable
from functools import partial

from torch import nn

from nalu import NALU

UNITS: dict[str, Callable[..., nn.Module]] = {
    **{unit.build.__name__: unit.build for unit in units.UNITS.values()},
    "NALU-separate": partial(NALU, separate_weights=True),
    "NALU-biased-gate": partial(NALU, gate_bias=1.0),
    "NALU-constant-gate": partial(NALU, input_gate=False),
}
