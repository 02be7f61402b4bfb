"""Every unit by its name on command lines.

A new unit is added here, exported in ``nalu/__init__.py`` and given a reference in ``tests/nalu/reference_units.py``.

>>> from nalu.units import UNITS
>>> UNITS["nmu"].build(2, 1)
NMU(in_features=2, out_features=1)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal

from torch import nn

from nalu.init import Init
from nalu.schedules import Ramp, Schedule, Tenfold
from nalu.units.mcfc import MCFC, MulMCFC
from nalu.units.nac import NAC, GumbelNAC, NACMul, NACMulSigma, SoftmaxNAC
from nalu.units.nalu import GNALU, INALU, NALU
from nalu.units.nau_nmu import NAU, NMRU, NMU, SNMU, GatedNAUNMU, NACMulNMU
from nalu.units.npu import NPU, RealNPU

BinaryOperation = Literal["add", "sub", "mul", "div"]

SUMS: tuple[BinaryOperation, ...] = ("add", "sub")
PRODUCTS: tuple[BinaryOperation, ...] = ("mul", "div")

TRASK = "Trask et al. 2018, arXiv:1808.00508"
MADSEN = "Madsen & Johansen 2020, arXiv:2001.05016"
SCHLOER = "Schlör et al. 2020, doi:10.3389/frai.2020.00071"
HEIM = "Heim et al. 2020, arXiv:2006.01681"
MISTRY = "Mistry et al. 2022, arXiv:2101.09530"
DIVISION = "Mistry et al. 2022, arXiv:2110.05177"
STOCHASTIC = "Mistry et al. 2022, arXiv:2211.05624"
HOEDT = "Hoedt et al. 2021, arXiv:2101.05186"


@dataclass(frozen=True)
class Unit:
    """What is known of a unit besides its mathematics."""

    build: Callable[..., nn.Module]
    """Makes one from its numbers of inputs and outputs, and keyword options."""
    title: str
    source: str
    """The paper."""
    operations: tuple[BinaryOperation, ...]
    """What it is made for."""
    first_layer: str | None = None
    """The unit of the first of two layers, by name; ``None`` for its own kind."""
    has_init: bool = False
    """Whether ``build`` takes ``init``, see :mod:`nalu.init`."""
    penalty: dict[BinaryOperation, Schedule] = field(default_factory=dict)
    """The weight of :func:`nalu.regularizer` over the run, by operation; no entry: none.

    As published for the single-module benchmark (Mistry et al. 2022); units that are not in it have that of the NMU,
    whose weights they share. That of the iNALU holds while the loss is below 1."""


NAU_PENALTY = Ramp(0.01, 0.4, 0.7)
NMU_PENALTY = Ramp(10.0, 0.4, 0.7)
INALU_PENALTY = Ramp(0.05, 0.2, 0.2)
NPU_PENALTY: dict[BinaryOperation, Schedule] = {"mul": Tenfold(1e-7, 1e-5, 0.2), "div": Tenfold(1e-9, 1e-7, 0.2)}

UNITS: dict[str, Unit] = {
    "nac": Unit(NAC, "neural accumulator", TRASK, SUMS, has_init=True),
    "nac-mul": Unit(NACMul, "NAC in log space", TRASK, PRODUCTS, "nac", has_init=True),
    "nalu": Unit(NALU, "neural arithmetic logic unit", TRASK, SUMS + PRODUCTS, has_init=True),
    "nau": Unit(NAU, "neural addition unit", MADSEN, SUMS, penalty=dict.fromkeys(SUMS, NAU_PENALTY)),
    "nmu": Unit(NMU, "neural multiplication unit", MADSEN, ("mul",), "nau", penalty={"mul": NMU_PENALTY}),
    "inalu": Unit(
        INALU, "improved NALU", SCHLOER, SUMS + PRODUCTS, penalty=dict.fromkeys(SUMS + PRODUCTS, INALU_PENALTY)
    ),
    "gnalu": Unit(GNALU, "golden-ratio NALU", MISTRY, SUMS + PRODUCTS, has_init=True),
    "npu": Unit(NPU, "neural power unit", HEIM, PRODUCTS, "nau", penalty=NPU_PENALTY),
    "realnpu": Unit(RealNPU, "real neural power unit", HEIM, PRODUCTS, "nau", penalty=NPU_PENALTY),
    "nmru": Unit(
        NMRU, "neural multiplicative reciprocal unit", DIVISION, PRODUCTS, "nau",
        penalty=dict.fromkeys(PRODUCTS, NMU_PENALTY),
    ),
    "snmu": Unit(SNMU, "stochastic NMU", STOCHASTIC, ("mul",), "nau", penalty={"mul": NMU_PENALTY}),
    "gated-nau-nmu": Unit(
        GatedNAUNMU, "NAU and NMU with a gate", MADSEN, ("add", "sub", "mul"),
        penalty=dict.fromkeys(("add", "sub", "mul"), NMU_PENALTY),
    ),
    "nac-mul-sigma": Unit(NACMulSigma, "NAC in log space, weights in (0, 1)", MADSEN, ("mul",), "nac"),
    "nac-mul-nmu": Unit(
        NACMulNMU, "NAC in log space, weights of the NMU", MADSEN, ("mul",), "nau", penalty={"mul": NMU_PENALTY}
    ),
    "softmax-nac": Unit(SoftmaxNAC, "NAC of expected weights", MADSEN, SUMS),
    "gumbel-nac": Unit(GumbelNAC, "NAC of drawn weights", MADSEN, SUMS),
    "mcfc": Unit(MCFC, "mass-conserving layer", HOEDT, ("add",), penalty={"add": NMU_PENALTY}),
    "mul-mcfc": Unit(
        MulMCFC, "mass-conserving layer in log space", HOEDT, ("mul",), "mcfc", penalty={"mul": NMU_PENALTY}
    ),
}  # fmt: skip

GROUP = "nalu.units"
"""The group of the entry points by which other packages give their units a name."""


def installed_units() -> dict[str, EntryPoint]:
    """The units of other packages, by the names that their entry points give them; nothing is imported."""
    return {entry.name: entry for entry in entry_points(group=GROUP) if entry.name not in UNITS}


@cache
def find_unit(name: str) -> Unit:
    """A unit of this catalogue, or one of another package: the name of its entry point, or ``module:Class``.

    The other package gives a :class:`Unit`, or a class (or function) that makes a module from its numbers of inputs and
    outputs; nothing else is then known of it, so it is for all operations and has no published penalty.

    Raises:
        LookupError: when there is no such unit; the message is one line.
    """
    if name in UNITS:
        return UNITS[name]
    entry = installed_units().get(name)
    found: Any
    try:
        if entry is not None:
            found = entry.load()
        else:
            module, colon, attributes = name.partition(":")
            if not colon:
                raise LookupError(f"unknown unit {name!r}; wanted {', '.join(UNITS)} or MODULE:CLASS")
            found = import_module(module)
            for attribute in attributes.split("."):
                found = getattr(found, attribute)
    except LookupError:
        raise
    except Exception as error:  # whatever the code of another package raises when it is imported
        raise LookupError(f"cannot import the unit {name!r}: {type(error).__name__}: {error}") from error
    if isinstance(found, Unit):
        return found
    if not callable(found):
        raise LookupError(f"the unit {name!r} must be a class or a nalu.units.Unit, got {found!r}")
    title = getattr(found, "__name__", name)
    return Unit(found, title, name, SUMS + PRODUCTS, has_init="init" in _parameters(found))


def _parameters(build: Callable[..., nn.Module]) -> set[str]:
    try:
        return set(inspect.signature(build).parameters)
    except (TypeError, ValueError):  # some built-in callables have no signature
        return set()


def constructor(name: str, init: Init) -> Callable[..., nn.Module]:
    """What makes a unit from its numbers of inputs and outputs.

    Args:
        init: the initialisation of units that have a choice, see :mod:`nalu.init`.

    Raises:
        LookupError: when there is no unit of that name.
    """
    unit = find_unit(name)
    return partial(unit.build, init=init) if unit.has_init else unit.build


def two_layers(name: str, init: Init) -> tuple[Callable[..., nn.Module], Callable[..., nn.Module]]:
    """What builds the first and the second of two layers: the unit's first_layer, and the unit.

    Args:
        init: of those that have one, see :mod:`nalu.init`.

    Raises:
        LookupError: when there is no unit of that name.
    """
    return constructor(find_unit(name).first_layer or name, init), constructor(name, init)
