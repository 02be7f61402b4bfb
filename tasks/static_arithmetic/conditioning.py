"""Is ill-conditioning the cause of failures? The same unit, data and steps, with and without preconditioning."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from nalu.training.mean_split import with_mean
from tasks.arithmetic.problem import OPERATIONS, VALIDATION_SEED, spread
from tasks.harness.finished_run import FinishedRun
from tasks.harness.tables import Table, number, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Arm = tuple[str, float]
"""The options ``mean_split`` and ``bias_weight``."""

Studies = dict[tuple[str, str], dict[Arm, FinishedRun]]
"""Runs by cell and operation, then by arm."""

PLAIN: Arm = ("none", 1.0)
COLOURS = ("#000000", "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00")
EXAMPLES = 10_000


def comparisons(runs: Sequence[FinishedRun]) -> Studies:
    """Runs that differ from a plain run only in their arm, by cell and operation, then by arm.

    If a comparison exists several times (other seeds, other steps), the one with the most seeds counts.
    """
    groups: dict[str, dict[Arm, FinishedRun]] = {}
    for run in sorted(runs, key=lambda run: run.options["seeds"]):
        options = run.options
        arm = arm_of(options)
        same = {name: value for name, value in options.items() if name not in ("mean_split", "bias_weight")}
        groups.setdefault(str(sorted(same.items())), {})[arm] = run
    studies = [arms for arms in groups.values() if PLAIN in arms and len(arms) > 1]
    found = {}
    for arms in studies:
        options = arms[PLAIN].options
        found[options["cell"], options["op"]] = arms
    return dict(sorted(found.items(), key=lambda item: (item[0][0], OPERATIONS.index(item[0][1]))))


def arm_of(options: Mapping[str, Any]) -> Arm:
    """The arm that a run's options select."""
    return options.get("mean_split", "none"), options.get("bias_weight", 1.0)


def arms_of(studies: Studies) -> list[Arm]:
    """All arms, the plain one first."""
    return sorted({arm for arms in studies.values() for arm in arms}, key=lambda arm: (arm != PLAIN, -arm[1], arm))


def name(arm: Arm) -> str:
    """The name of an arm in tables and figures."""
    split, weight = arm
    words = [] if split == "none" else [f"split {split}"]
    return ", ".join([*words, *([] if weight == 1 else [f"bias {weight:g}"])]) or "plain"


def table(studies: Studies) -> Table:
    """One row per cell and operation, two columns per arm: seeds solved and the median extrapolation error."""
    arms = arms_of(studies)
    rows = []
    for (cell, op), of_arm in studies.items():
        row = [cell, op]
        for arm in arms:
            run = of_arm.get(arm)
            row += (
                ["–", "–"]
                if run is None
                else [percent(run.rates["solved"]), number(run.metrics["extrapolation/error"]["median"])]
            )
        rows.append([*row, f"{of_arm[PLAIN].seeds} x {of_arm[PLAIN].steps}"])
    header = ["cell", "operation", *(column for arm in arms for column in (name(arm), "error")), "seeds x steps"]
    notes = (
        "Seeds solved, with Wilson 95 % intervals, and the median extrapolation error; the same seeds, steps, learning "
        "rate and initialisation in every column.",
        "split: --mean-split; Adam works on means and deviations of the weights over inputs, or over inputs and units, "
        "an exact change of coordinates (nalu/training/mean_split.py). bias: --bias-weight; the loss is the variance "
        "of the error over the batch plus so much of its squared mean.",
    )
    return Table("Static arithmetic: with and without preconditioning", header, rows, notes)


def spectra(bounds: tuple[float, ...], inputs: int, bias_weight: float) -> dict[Arm, Tensor]:
    """Eigenvalues of the second moment of the inputs as Adam sees it, descending, by arm.

    The second moment is the Hessian of a linear unit's squared error. Adam divides each coordinate by its size, which
    makes the diagonal 1; the remaining spread depends on the coordinates. Estimated from the task's validation inputs.
    """
    u = torch.from_numpy(np.random.RandomState(VALIDATION_SEED).uniform(size=(EXAMPLES, inputs)))
    x = spread(u, bounds)
    mean = x.mean(dim=0, keepdim=True)
    covariance = (x - mean).mT @ (x - mean) / EXAMPLES
    moment = covariance + mean.mT @ mean
    # The space of deviations has one dimension less than there are inputs, so the last eigenvalue is 0.
    deviations = _scaled(with_mean(with_mean(moment, 0.0).mT, 0.0))[:-1]
    split = torch.cat([torch.ones(1, dtype=deviations.dtype), deviations]).sort(descending=True).values
    return {
        PLAIN: _scaled(moment),
        ("inputs", 1.0): split,
        ("none", bias_weight): _scaled(covariance + bias_weight * mean.mT @ mean),
    }


def _scaled(matrix: Tensor) -> Tensor:
    """Eigenvalues, descending, of a symmetric matrix whose diagonal is scaled to 1."""
    size = matrix.diagonal().rsqrt()
    return torch.linalg.eigvalsh(size.unsqueeze(1) * matrix * size).flip(0)


def figure(studies: Studies) -> Figure:
    """The spectrum, and one panel per comparison: validation error over training with and without preconditioning."""
    from matplotlib.figure import Figure

    arms = arms_of(studies)
    colours = dict(zip(arms, COLOURS, strict=False))
    cells = list(dict.fromkeys(cell for cell, _ in studies))
    ops = [op for op in OPERATIONS if any((cell, op) in studies for cell in cells)]
    figure = Figure(figsize=(5 + 2 * len(ops), 2 + 1.7 * len(cells)), layout="constrained")
    ((left, right),) = figure.subfigures(1, 2, squeeze=False, width_ratios=(4, 1 + 2 * len(ops)))
    options = next(iter(studies.values()))[PLAIN].options
    weights = [weight for _, weight in arms if weight != 1]
    _spectrum(
        left.subplots(),
        spectra(tuple(options["interpolation_range"]), options["input_size"], min(weights, default=1)),
        colours,
    )
    grid = right.subplots(len(cells), len(ops), squeeze=False, sharex="row", sharey="col")
    for axes_row, cell in zip(grid, cells, strict=True):
        for axes, op in zip(axes_row, ops, strict=True):
            if (cell, op) not in studies:
                axes.set_axis_off()
                continue
            for arm, run in studies[cell, op].items():
                curves = run.curves
                axes.plot(curves["step"], curves["interpolation/error/median"], color=colours[arm], linewidth=1)
            axes.set_yscale("log")
            axes.set_title(f"{cell} {op}", fontsize="small")
            axes.tick_params(labelsize="x-small")
    handles = [left.axes[0].plot([], [], color=colours[arm], label=name(arm))[0] for arm in arms]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(arms))
    right.suptitle("Validation error over training steps, median over seeds")
    return figure


def _spectrum(axes: Axes, spectra: dict[Arm, Tensor], colours: dict[Arm, str]) -> None:
    for arm, values in spectra.items():
        label = f"{name(arm)}: {values[0] / values[-1]:.2g}"
        axes.plot(range(1, 1 + len(values)), values, ".", color=colours.get(arm, "#999999"), label=label)
    axes.set(yscale="log", xlabel="eigenvalue", title="E[x xᵀ], diagonal scaled to 1")
    axes.legend(title="largest / smallest", fontsize="small")
