"""The results of the grid world: scores and tables."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from tasks.gridworld_time.names import name, ordered
from tasks.gridworld_time.options import TRAINED, Config
from tasks.gridworld_time.published import AS_IF, FAR_T, GOOD, NEAR, PUBLISHED
from tasks.harness.contract import Score
from tasks.harness.finished_run import FinishedRun
from tasks.harness.metrics import curve
from tasks.harness.record import Record
from tasks.harness.tables import Table, number, percent
from tasks.harness.verdict import COLUMN, Verdict, of_bound

SHOWN = (1, 3, 5, 8, 10, 12, 13, 14, 15, 17, 19, 21, 25, 30, 40, 60, 100, 300, 1000)
"""The T for which results are stored."""
FAR_SHOWN = (12, 13, 15, 17, 19, 21, 25, 40, 100, 1000)
"""The T of the tables."""
LEAST_REWARD, LEAST_EXACT = 0.98, 0.95
"""A T is mastered from this fraction of the optimal reward and this fraction of exact arrivals on."""


def score(config: Config, record: Record) -> Score:
    """Results of every seed after the last step; as usual in reinforcement learning, validation chooses no step."""
    error = record.errors("interpolation/error")[-1]

    def results(kind: str, policy: str, times: Sequence[int]) -> np.ndarray:
        """One result for each T and seed, ``(times, S)``; a diverged seed earns nothing and never arrives."""
        return np.nan_to_num(np.stack([record[curve(policy, kind, T)][-1] for T in times]))

    def mastered(policy: str) -> np.ndarray:
        rewards, exact = (results(kind, policy, TRAINED) for kind in ("reward", "exact"))
        return np.all((rewards >= LEAST_REWARD) & (exact >= LEAST_EXACT), axis=0)

    shown = [T for T in SHOWN if T in config.times]
    values = {"interpolation/error": error, "extrapolation/error": record.errors("extrapolation/error")[-1]}
    for policy in ("greedy", "sampled"):
        for kind in ("reward", "exact"):
            for T, value in zip(shown, results(kind, policy, shown), strict=True):
                values[f"{kind}/{policy}/T_{T}"] = value
    values |= {f"time/greedy/T_{T}": record[curve("greedy", "time", T)][-1] for T in shown}
    values["environment/steps"] = record["environment/steps"][-1]
    beyond = [T for T in config.times if T >= 8]
    outcomes = {
        "solved": (results("exact", "greedy", beyond) >= LEAST_EXACT).all(axis=0),
        "mastered": mastered("greedy"),
        "mastered/sampled": mastered("sampled"),
        "diverged": np.isinf(error),
    }
    return Score(values, outcomes)


def tables(runs: Sequence[FinishedRun]) -> list[Table]:
    """Results on the training range, then exact arrivals and rewards for T within and beyond it."""
    shown = ordered(runs)
    times = [T for T in FAR_SHOWN if any(f"exact/greedy/T_{T}" in run.metrics for run in shown)]
    return [_training_range(shown), *(_beyond(shown, kind, times) for kind in ("exact", "reward"))]


def _training_range(runs: Sequence[FinishedRun]) -> Table:
    rows = []
    for run in runs:
        rates, metrics, options = run.rates, run.metrics, run.options
        rows.append(
            [
                name(options),
                percent(rates["mastered"]),
                percent(rates["mastered/sampled"]),
                percent(rates["solved"]),
                number(metrics["interpolation/error"]["median"]),
                number(metrics["extrapolation/error"]["median"]),
                f"{(metrics['environment/steps']['median'] or 0) / 1e6:.2f}",
                f"{run.seeds} x {run.steps}",
                PUBLISHED.get(options["instruction_path"], "–"),
                _verdict(run),
            ]
        )
    header = (
        "agent", "mastered", "mastered, sampled", "solved", "error, T 5-12", "error, T 13-40", "million env steps",
        "seeds x updates", "published", COLUMN,
    )  # fmt: skip
    notes = (
        f"mastered: for every T from 5 to 12 at least {LEAST_REWARD:g} of the optimal reward and exact arrival "
        f"from {LEAST_EXACT:g} of all starts, greedy or sampled policy. solved: the same exactness for every evaluated "
        "T from 8 on (to 100, or to the run's --eval-longest). Intervals: Wilson 95 %.",
        "error: 1 - reward in parts of the optimal one, greedy, median over seeds. Published: as recalled from "
        "Trask et al. 2018, section 4.5, from a figure; the number of seeds is not known.",
        f"Verdict, at T = {FAR_T}: of the baseline, whether the interval of its mean arrival time lies within "
        f"{AS_IF} ± {NEAR}; of the NAC, whether that of its reward lies above {GOOD:g} of the optimum; reproduced "
        "where it does, not reproduced where the median does not, else undecided.",
    )
    return Table("Grid world: trained with T from 5 to 12", header, rows, notes)


def _verdict(run: FinishedRun) -> Verdict:
    """Whether the published claim about this agent holds for our run."""
    path, seeds = run.options["instruction_path"], run.seeds
    if path not in PUBLISHED:
        return Verdict.NO_FIGURE
    if path == "lstm":
        time = run.metrics[f"time/greedy/T_{FAR_T}"]
        off = [math.inf if time[end] is None else abs(time[end] - AS_IF) for end in ("median", "low", "high")]
        return of_bound({"median": off[0], "high": max(off)}, NEAR, seeds)
    reward = run.metrics[f"reward/greedy/T_{FAR_T}"]
    return of_bound({"median": 1 - reward["median"], "high": 1 - reward["low"]}, 1 - GOOD, seeds)


def _beyond(runs: Sequence[FinishedRun], kind: str, times: Sequence[int]) -> Table:
    rows = []
    for run in runs:
        cells = [_range(run.metrics.get(f"{kind}/greedy/T_{T}")) for T in times]
        rows.append([name(run.options), *cells])
    what = {"exact": "part of exact arrivals", "reward": "reward in parts of the optimal one"}[kind]
    note = "Greedy policy, all 600 starts; median over seeds [10th … 90th percentile over seeds]."
    return Table(f"Grid world: {what}, by T", ("agent", *(f"T = {T}" for T in times)), rows, (note,))


def _range(value: dict[str, float] | None) -> str:
    if value is None or value["median"] is None:
        return "–"
    return f"{value['median']:.2f} [{value['p10']:.2f}, {value['p90']:.2f}]"
