"""The arithmetic units under test, by name, with the options that change their mathematics."""

from collections.abc import Callable
from functools import partial

from torch import nn

from nalu import NAC, NALU, NAU, NMU, NACMul

UNITS: dict[str, Callable[..., nn.Module]] = {
    "NAC": NAC,
    "NACMul": NACMul,
    "NALU": NALU,
    "NALU-separate": partial(NALU, separate_weights=True),
    "NALU-biased-gate": partial(NALU, gate_bias=1.0),
    "NALU-constant-gate": partial(NALU, input_gate=False),
    "NAU": NAU,
    "NMU": NMU,
}
