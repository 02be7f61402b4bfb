"""Options whose value names a unit: one of the task's own names, or a unit of the user's package."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import torch
import tyro
from torch import nn

from nalu import inspection
from nalu.units.catalogue import UNITS, find_unit, installed_units
from tasks.harness.errors import OptionError, UserError

OWN = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*")
"""``module:Class``, a unit of the user's package."""


def choice(names: Sequence[str]) -> Any:
    """How the help shows an option of type ``Annotated[str, choice(names)]``."""
    return tyro.conf.arg(metavar=f"{{{','.join((*names, 'MODULE:CLASS'))}}}")


Cell = Annotated[str, choice(tuple(UNITS))]
"""The type of an option that names any unit."""


def is_own(cell: str) -> bool:
    """Whether the name is of a unit of the user's package. Nothing is imported, because a record may contain it."""
    return cell not in UNITS and (OWN.fullmatch(cell) is not None or cell in installed_units())


def check_cell(option: str, cell: str, names: Sequence[str]) -> None:
    """Raise an OptionError unless the value of an option is one of these names, or of a unit of the user's package."""
    if cell in names or is_own(cell):
        return
    near = difflib.get_close_matches(cell, names, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise OptionError(f"{option} must be one of {', '.join(names)}, or MODULE:CLASS, got {cell}{hint}")


def short_name(cell: str) -> str:
    """The name for the names of directories: of ``module:Class`` the class."""
    return cell.rpartition(":")[2]


def load_own(cell: str) -> list[str]:
    """Import a unit of the user's package, and say what it lacks: one sentence for each optional part.

    Raises:
        UserError: when it cannot be imported, or does not make a module that maps two numbers to one.
    """
    try:
        unit = find_unit(cell).build(2, 1)
        with torch.no_grad():
            shape = tuple(unit(torch.ones(3, 2)).shape)
    except LookupError as error:
        raise UserError(str(error)) from error
    except Exception as error:  # whatever the user's code raises
        raise UserError(f"the unit {cell} fails with 2 inputs and 1 output: {type(error).__name__}: {error}") from error
    if shape != (3, 1):
        raise UserError(f"the unit {cell} must map inputs (3, 2) to outputs (3, 1), got {shape}")
    return [f"{cell} has no {part}" for part in _missing(unit)]


def _missing(unit: nn.Module) -> Iterator[str]:
    if not any(isinstance(module, inspection.Weighted) for module in unit.modules()):
        yield "effective_weights() and snap_(): its sparsity is not measured"
    if not hasattr(unit, "identity_element"):
        yield "identity_element: recurrent uses start from 0"
    if not hasattr(unit, "regularizer"):
        yield "regularizer(): it is trained without one"
