"""The TensorBoard view of a run.

Tags begin with the group of the metric, so that all tasks are sorted alike. A metric has the tags ``<metric>/median``,
``/p10`` and ``/p90`` over seeds, and ``/seed_<k>`` for the first few seeds. An outcome (solved or not) has the tag
``<metric>/fraction``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from matplotlib.figure import Figure
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from nalu import inspection
from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, Task
from tasks.harness.learning_curves import ERROR_COLOURS, SHOWN
from tasks.harness.metrics import TRAINING_GROUPS, group, is_curve
from tasks.harness.statistics import bands

SINGLE_SEEDS = 3
UNCOMPARED = ("device", "generator", "eval_every", "first_seed")
"""Options omitted from the table of hyperparameters, which shows only a few columns at first."""
HISTOGRAMS = 50
"""Largest number of histograms per run, evenly spread over its evaluations."""
IMAGES = 10


class TensorBoard:
    """Writes the event files of one run."""

    def __init__(self, directory: Path, task: Task, config: Config, resumed_at: int | None) -> None:
        # Events after the checkpoint are written again; TensorBoard hides the old ones.
        self._writer = SummaryWriter(str(directory), purge_step=None if resumed_at is None else resumed_at + 1)
        self._config = config
        self._task = task
        self._seeds = list(config.seed_range)[:SINGLE_SEEDS]
        if resumed_at is None:
            card = [f"**{task.title}** ({task.source})", str(task.config.__doc__), _markdown(config.to_dict())]
            self._writer.add_text("run/task", "\n\n".join(card))
        self._layout_written = False

    def close(self) -> None:
        """Flush and close the event file."""
        self._writer.close()

    def write(self, snapshot: Snapshot, metrics: dict[str, np.ndarray], speed: float | None) -> None:
        """Add one evaluation."""
        step = snapshot.step
        if not self._layout_written:
            self._writer.add_custom_scalars(_layout(metrics))
            self._layout_written = True
        for name, values in metrics.items():
            if not is_curve(name):  # the points of a curve belong in one figure, not in charts over time
                self._scalars(name, values, step)
        if speed is not None:
            self._writer.add_scalar("speed/model_steps_per_second", speed, step)
        if self._turn(step, HISTOGRAMS):
            for name, numbers in {**_weights(snapshot), **snapshot.histograms}.items():
                finite = numbers[torch.isfinite(numbers)]
                if finite.numel():
                    self._writer.add_histogram(name, finite.float().cpu(), step)
        if self._turn(step, IMAGES):
            for name, weights in _weights(snapshot).items():
                figure = _weight_image(weights[0].float().cpu().numpy(), self._seeds[0])
                self._writer.add_figure(f"{name}/seed_{self._seeds[0]}", figure, step)
            for name, draw in snapshot.figures.items():
                self._writer.add_figure(name, draw(), step)

    def write_formulas(self, formulas: Mapping[int, Sequence[str]], step: int) -> None:
        """Add what the networks of some seeds compute, as text."""
        for seed, lines in formulas.items():
            self._writer.add_text(f"formula/seed_{seed}", "\n".join(f"    {line}" for line in lines), step)

    def finish(self, results: dict[str, float]) -> None:
        """Add the run with its final results to the table of hyperparameters."""
        options = {
            name: value if isinstance(value, bool | int | float | str) else str(value)
            for name, value in {"task": self._task.name, **self._config.to_dict()}.items()
            if name not in UNCOMPARED
        }
        final = {f"final/{name}": value for name, value in results.items() if not is_curve(name)}
        # The first summary would fix the columns of the whole table; without it, the table has the columns of all runs.
        _, *session = hparams(options, final)
        for summary in session:
            self._writer.file_writer.add_summary(summary)  # type: ignore[attr-defined]  # torch declares it None
        for name, value in final.items():
            self._writer.add_scalar(name, value, self._config.steps)

    def _scalars(self, name: str, values: np.ndarray, step: int) -> None:
        if values.dtype == np.bool_:
            self._writer.add_scalar(f"{name}/fraction", values.mean(), step)
            return
        for statistic, value in zip(("p10", "median", "p90"), bands(values), strict=True):
            self._writer.add_scalar(f"{name}/{statistic}", value, step)
            if name in ERROR_COLOURS:
                self._writer.add_scalar(f"{_logarithm(name)}/{statistic}", np.log10(np.clip(value, *SHOWN)), step)
        for seed, value in zip(self._seeds, values, strict=False):
            self._writer.add_scalar(f"{name}/seed_{seed}", value, step)

    def _turn(self, step: int, most: int) -> bool:
        """Whether this evaluation is one of about ``most`` evenly spread over the run."""
        tick = -(-step // self._config.eval_every)
        return tick % -(-self._config.num_evaluations // most) == 0 or step == self._config.steps


def show_figures(directory: Path, figures: Mapping[str, Figure]) -> None:
    """Show the figures of a report as TensorBoard images, replacing those of an earlier report."""
    events = directory / "tensorboard"
    for old in events.glob("events.out.tfevents.*"):
        old.unlink()
    with SummaryWriter(str(events)) as writer:
        for name, figure in figures.items():
            writer.add_figure(name, figure)


def _layout(metrics: dict[str, np.ndarray]) -> dict[str, Any]:
    """Custom charts: the errors side by side, each a median with its band; alike in all tasks, which share charts."""
    outcomes = [name for name, values in metrics.items() if values.dtype == np.bool_]
    values = [name for name in metrics if name not in (*outcomes, *ERROR_COLOURS) and not is_curve(name)]
    training = [name for name in values if group(name) in TRAINING_GROUPS]

    def charts(names: Iterable[str]) -> dict[str, Any]:
        return {name: ["Margin", [f"{name}/{statistic}" for statistic in ("median", "p10", "p90")]] for name in names}

    errors = [_logarithm(name) for name in ERROR_COLOURS if name in metrics]
    layout = {"1. interpolation beside extrapolation": charts(errors)}
    if outcomes:
        layout["2. solved"] = {"fraction of seeds": ["Multiline", [f"{name}/fraction" for name in outcomes]]}
    layout["3. training"] = charts(training)
    if others := [name for name in values if name not in training]:
        layout["4. of single tasks"] = charts(others)
    return layout


def _logarithm(name: str) -> str:
    """The tag of an error's decimal logarithm: custom charts open with linear axes, on which errors are unreadable."""
    group, _, rest = name.rpartition("/")
    return f"{group}/log10_{rest}"


def _weights(snapshot: Snapshot) -> dict[str, torch.Tensor]:
    """Tag to effective weights, with seeds as the first axis."""
    weights = inspection.effective_weights(snapshot.model)
    return {f"weights/{name or 'W'}": W if W.ndim == 3 else W.unsqueeze(0) for name, W in weights.items()}


def _weight_image(W: np.ndarray, seed: int) -> Figure:
    figure = Figure(figsize=(8, 1.6 + 0.1 * min(len(W), 30)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(W, cmap="RdBu", vmin=-1, vmax=1, aspect="auto", interpolation="nearest")
    axes.set(xlabel="input", ylabel="output", title=f"effective weights, seed {seed}")
    axes.set_yticks(range(len(W)) if len(W) <= 10 else [])
    figure.colorbar(image, ax=axes)
    return figure


def _markdown(options: dict[str, Any]) -> str:
    return "\n".join(["| option | value |", "|---|---|", *(f"| {name} | {value} |" for name, value in options.items())])
