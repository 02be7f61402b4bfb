"""What was published on counting and addition, the settings of our tables, and how a record is scored."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from tasks.harness.contract import Score
from tasks.harness.finished_run import FinishedRun
from tasks.harness.metrics import curve
from tasks.harness.record import Record
from tasks.harness.statistics import rate
from tasks.harness.tables import Table, changed_options, format_options, number, percent
from tasks.harness.verdict import COLUMN, ERROR_RULE, RATE_RULE, Verdict, of_error, of_rate
from tasks.mnist_counting.data import CLASSES, PROBLEMS, TARGETS, Target
from tasks.mnist_counting.figures import figures as figures
from tasks.mnist_counting.figures import ordered
from tasks.mnist_counting.model import Cell
from tasks.mnist_counting.reference import threshold
from tasks.mnist_counting.train import Config

RECALLED: dict[Target, dict[str, tuple[str, ...]]] = {
    "counting": {
        "nac": ("99.23 %", "0.12", "0.76", "3.32"),
        "nalu": ("97.6 %", "0.17", "0.93", "4.18"),
        "lstm": ("98.29 %", "0.79", "18.2", "198.5"),
        "gru": ("99.02 %", "0.73", "18.0", "198.3"),
        "rnn-tanh": ("38.91 %", "1.49", "18.4", "198.7"),
        "rnn-relu": ("9.80 %", "0.66", "39.8", "1.4e10"),
    },
    "addition": {
        "nac": ("97.58 %", "1.42", "7.88", "57.3"),
        "nalu": ("77.7 %", "5.11", "–", "–"),
        "lstm": ("0 %", "14.8", "800.8", "8811.6"),
        "gru": ("0 %", "1.75", "771.4", "8775.2"),
        "rnn-tanh": ("0 %", "2.98", "20.4", "200.7"),
        "rnn-relu": ("88.18 %", "19.1", "182.1", "1171.0"),
    },
}
"""Trask et al. 2018, table of section 4.2, as recalled: accuracy at length 1, error at 10, 100 and 1000."""

SUCCESSES: dict[Target, dict[str, int]] = {
    "cumsum": {"nau": 8, "nac": 6, "nalu": 0, "lstm": 0},
    "product": {"nmu": 8, "nalu": 0, "lstm": 0},
}
"""Madsen & Johansen 2020, read off their figures: seeds of 10 that succeed at the longest series."""

FRESH_SEED = 1000
"""The tables begin here: the settings were chosen while looking at the results of seeds from 0 on."""

LEAST_READ = 0.5
"""Part of single digits that a seed of exact names rightly if it has learned to read."""

NO_PRIOR: dict[str, Any] = {"recurrent_start": "unit", "input_start": 0.0, "penalty": 0.0, "encoder": "linear"}
"""Options of an arithmetic cell that is told nothing; for a NALU also without a gate bias."""


def without_prior(config: Config) -> Config:
    """The same setting, the cell told nothing."""
    return replace(config, **NO_PRIOR, gate_bias=0.0)


def _rows(target: Target, cells: Iterable[Cell], untold: Iterable[Cell]) -> tuple[Config, ...]:
    """One setting a cell, and one without priors for some."""
    told = [Config(target=target, cell=cell, dataset="mnist", first_seed=FRESH_SEED) for cell in cells]
    return (*told, *(without_prior(config) for config in told if config.cell in untold))


_BASELINES: tuple[Cell, ...] = ("lstm", "gru", "rnn-tanh", "rnn-relu")
# A product of two teaches the weights by itself: its NMU is told only that they are whole, as in the study.
_PRODUCT = Config(
    target="product", cell="nmu", dataset="mnist", first_seed=FRESH_SEED, recurrent_start="unit", input_start=0.0
)
_STANDARD = (
    *_rows("counting", ("nac", "nalu", *_BASELINES), ("nac",)),
    *_rows("addition", ("nac", "nalu", *_BASELINES), ()),
    *_rows("cumsum", ("exact", "nac", "nau", "lstm"), ()),
    *_rows("product", ("exact", "nalu", "lstm"), ()),
    _PRODUCT,
)
_EVERY = (
    *_rows("counting", ("exact", "nac", "nalu", "nau", *_BASELINES), ("nac", "nalu", "nau")),
    *_rows("addition", ("exact", "nac", "nalu", "nau", *_BASELINES), ("nac", "nalu", "nau")),
    *_rows("cumsum", ("exact", "nac", "nau", "lstm"), ("nac", "nau")),
    *_rows("product", ("exact", "nalu", "lstm"), ()),
    _PRODUCT,
    without_prior(_PRODUCT),
)
_SMALL = Config(dataset="sample", first_seed=FRESH_SEED, seeds=3, steps=200, eval_every=100)
_QUICK = (
    # So few steps need a stronger penalty: at 0.01, what remains off the diagonal explodes over 1000 digits.
    replace(_SMALL, cell="nac", penalty=0.1, steps=500, eval_every=250),
    replace(_SMALL, cell="nalu", penalty=0.1, steps=300, eval_every=150),
    without_prior(replace(_SMALL, cell="nac")),
    replace(_SMALL, cell="lstm"),
)
_FULL = tuple(replace(config, seeds=10, steps=4 * config.steps, eval_every=4 * config.eval_every) for config in _EVERY)
SWEEP = {"quick": _QUICK, "standard": _STANDARD, "full": _FULL}


def score(config: Config, record: Record) -> Score:
    """Errors and accuracies of every seed at the evaluated step where its validation error was lowest.

    ``selected`` is the network with its recurrent weights snapped where that does not raise the validation error, and
    as it is where it does.
    """
    chosen = record.chosen()

    def errors(name: str) -> np.ndarray:
        return record.errors(name)[chosen]

    def parts(name: str) -> np.ndarray:
        return np.nan_to_num(record[name], nan=0.0)[chosen]

    values = {name: errors(name) for name in ("interpolation/error", "extrapolation/error")}
    outcomes = {"diverged": np.isinf(record.errors("interpolation/error")[-1])}
    lengths = config.problem.lengths
    for n in lengths:
        values[f"error/length_{n}"] = errors(curve(n))
    if config.target == "counting":
        values |= {f"summed/length_{n}": CLASSES * values[f"error/length_{n}"] for n in lengths}
    if config.problem.every_step:
        values |= {f"squared/length_{n}": errors(f"squared/{n}") for n in lengths}
    values["accuracy/digit"] = parts("accuracy/digit")
    values |= {f"exact/length_{n}": parts(f"exact/{n}") for n in lengths}
    if "snapped/interpolation" in record.metrics:
        snapped = errors("snapped/interpolation")
        outcomes["snapped"] = np.isfinite(snapped) & (snapped <= values["interpolation/error"])
        for n in lengths:
            values[f"snapped/length_{n}"] = errors(f"snapped/{n}")
            pair = values[f"snapped/length_{n}"], values[f"error/length_{n}"]
            values[f"selected/length_{n}"] = np.where(outcomes["snapped"], *pair)
        values["weights/sparsity"] = record["weights/sparsity"][chosen]
    if "gate/mean" in record.metrics:
        values["gate/mean"] = record["gate/mean"][chosen]
    return Score(values, outcomes)


def tables(runs: Sequence[FinishedRun]) -> list[Table]:
    """One table a target: errors by length, one row a setting, and the recalled figures of the same cell below it."""
    return [_table(target, found) for target in TARGETS if (found := ordered(runs, target))]


def _table(target: Target, runs: Sequence[FinishedRun]) -> Table:
    lengths = PROBLEMS[target].lengths[1:]
    thresholds = _thresholds(runs)
    rows = []
    for i, run in enumerate(runs):
        options, metrics = run.options, run.metrics
        last = lengths[-1]
        row = [
            options["cell"],
            priors(options),
            _percent(metrics["accuracy/digit"]),
            *(interval(metrics[f"error/length_{n}"]) for n in lengths),
            interval(metrics[f"selected/length_{last}"]) if f"selected/length_{last}" in metrics else "–",
            _percent(metrics[f"exact/length_{lengths[0]}"]),
        ]
        if PROBLEMS[target].every_step:
            row += _success(run, target, last, thresholds)
        else:
            row.append(_verdict(run, target))
        rows.append([*row, options["dataset"], f"{run.seeds} x {run.steps}", _changed(options)])
        cell_ends = i + 1 == len(runs) or runs[i + 1].options["cell"] != options["cell"]
        if cell_ends and options["cell"] in RECALLED.get(target, {}):
            published = RECALLED[target][options["cell"]]
            rows.append([options["cell"], "paper (as recalled)", *published, "–", "–", "–", "mnist", "–", ""])
    header = [
        "cell", "priors", "one digit", *(f"MAE {n}" for n in lengths), f"{lengths[-1]}, selected",
        f"exact at {lengths[0]}",
    ]  # fmt: skip
    header += [f"success at {lengths[-1]}", "published"] if PROBLEMS[target].every_step else []
    header.append(COLUMN)
    return Table(
        f"MNIST {target}: trained on {PROBLEMS[target].length} digits, tested on up to {lengths[-1]}",
        [*header, "digits", "seeds x steps", "other options"],
        rows,
        _notes(target, runs),
    )


def _notes(target: Target, runs: Sequence[FinishedRun]) -> list[str]:
    notes = [
        "Medians over seeds with 95 % intervals, of test digits, at the step of lowest validation error. "
        f"MAE: mean absolute error{' of a class count' if target == 'counting' else ''}. selected: with the recurrent "
        "weights snapped to {-1, 0, 1} where that does not raise the validation error.",
    ]
    if PROBLEMS[target].every_step:
        notes.append(RATE_RULE)
    else:
        notes.append(f"The verdict is on the error at {PROBLEMS[target].length} digits. {ERROR_RULE}")
    if target == "counting":
        notes.append(
            "The constant answer 1 has an MAE of about 0.70, 9.0 and 99; the recalled baselines are at twice that for "
            "100 and 1000 digits, so the paper's unit for long series may be another."
        )
    if PROBLEMS[target].every_step:
        notes.append(
            "success: squared error not above the 99 % limit of exact accumulation, over the seeds of row exact that "
            f"name at least {LEAST_READ:.0%} of single digits rightly."
        )
    if any(run.options["dataset"] == "sample" for run in runs):
        notes.append(
            "SAMPLE: rows of the embedded 10 000 digits, not of MNIST, are NOT comparable with what was published."
        )
    return notes


def priors(options: dict[str, Any]) -> str:
    """What a network is told before training, in words."""
    told = {
        "softmax": options["encoder"] == "softmax",
        "identity state": options["recurrent_start"] == "identity",
        f"input start {options['input_start']:g}": options["input_start"] > 0,
        f"gate bias {options['gate_bias']:g}": options["gate_bias"] > 0,
        f"sparsity {options['penalty']:g}": options["penalty"] > 0,
    }
    return ", ".join(name for name, given in told.items() if given) or "none"


def interval(value: dict[str, float | None]) -> str:
    """Median and 95 % interval."""
    return f"{number(value['median'])} [{number(value['low'])}, {number(value['high'])}]"


def _percent(value: dict[str, float | None]) -> str:
    median, low, high = (100 * (value[name] or 0.0) for name in ("median", "low", "high"))
    return f"{median:.2f} % [{low:.2f}, {high:.2f}]"


Thresholds = dict[tuple[str, int], float]


def _squared(run: FinishedRun, length: int) -> np.ndarray:
    return run.per_seed[f"squared/length_{length}"]


def _reference(run: FinishedRun, length: int) -> np.ndarray:
    """Squared errors of the seeds of an exact cell that have learned to read.

    Some read every digit with the wrong sign, which a product of two does not notice; Madsen & Johansen leave such
    seeds out, too.
    """
    return _squared(run, length)[run.per_seed["accuracy/digit"] >= LEAST_READ]


def _thresholds(runs: Sequence[FinishedRun]) -> Thresholds:
    """Of the exact cells among the runs, by data set and length."""
    exact = [run for run in runs if run.options["cell"] == "exact"]
    return {
        (run.options["dataset"], n): threshold(_reference(run, n))
        for run in exact
        for n in PROBLEMS[run.options["target"]].lengths
        if PROBLEMS[run.options["target"]].every_step
    }


def _success(run: FinishedRun, target: Target, length: int, thresholds: Thresholds) -> list[str]:
    """Our rate, the published one and the verdict."""
    options = run.options
    count = SUCCESSES[target].get(options["cell"])
    published = "–" if count is None else f"{10 * count} %"
    limit = thresholds.get((options["dataset"], length))
    if limit is None or np.isnan(limit) or options["cell"] == "exact":
        return ["–", published, Verdict.NO_FIGURE]
    ours = rate(_squared(run, length) <= limit)
    if count is None:
        return [percent(ours), published, Verdict.NO_FIGURE]
    comparable = options["dataset"] == "mnist"
    return [percent(ours), published, of_rate(ours, count, of=10) if comparable else Verdict.NOT_COMPARABLE]


def _verdict(run: FinishedRun, target: Target) -> Verdict:
    """On the error at the training length, of which the unit is not in doubt."""
    options = run.options
    if options["cell"] not in RECALLED[target]:
        return Verdict.NO_FIGURE
    if options["dataset"] != "mnist":
        return Verdict.NOT_COMPARABLE
    published = float(RECALLED[target][options["cell"]][1])
    return of_error(run.metrics[f"error/length_{PROBLEMS[target].length}"], published, run.seeds)


ELSEWHERE = ("dataset", "data_dir", "encoder", "recurrent_start", "input_start", "gate_bias", "penalty")
"""Options that other columns show."""


def _changed(options: dict[str, Any]) -> str:
    """Options that differ from the defaults of the target and cell, but for scale, digits and priors."""
    reference = Config(target=options["target"], cell=options["cell"], dataset="sample")
    changed = changed_options(options, reference)
    return format_options({name: value for name, value in changed.items() if name not in ELSEWHERE})
