"""`nalu compare`: tuning on validation, paired differences, and what is said of them."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from tasks.harness.cli.compare_units import Compare
from tasks.harness.compare.plan import FIRST_TUNING_SEED, TUNING_SEEDS, Contest, Entry
from tasks.harness.compare.results import Difference, conclusion, differences, figure, table
from tasks.harness.config import Config
from tasks.harness.contract import UnitComparison
from tasks.harness.errors import OptionError, UserError
from tasks.harness.files import SEED_SUMMARY, read_columns, write_columns
from tasks.harness.registry import load_task
from tasks.harness.statistics import paired_difference
from tasks.harness.sweep.sweep import Ended, Job, sweep
from tests.helpers import call, forget_checksums

STATIC = load_task("static_arithmetic")


def test_the_mean_difference_and_its_interval() -> None:
    ours, theirs = np.array([1.0, 1, 0, 1, 1, 0, 1, 1]), np.array([0.0, 1, 0, 0, 1, 0, 0, 1])
    mean, low, high = paired_difference(ours, theirs, level=0.05)
    # 3 seeds differ by 1. With one seed at 1 and one at -1 added, the sum of 10 is 3 and the sum of squares is 5.
    error = np.sqrt((5 - 3**2 / 10) / 9 / 10)
    assert mean == 3 / 8
    np.testing.assert_allclose((low, high), 0.3 + error * stats.t.ppf([0.025, 0.975], 7))
    np.testing.assert_allclose(paired_difference(theirs, ours, level=0.05), (-mean, -high, -low))
    _, lower, higher = paired_difference(ours, theirs, level=0.005)
    assert lower < low
    assert higher > high


@pytest.mark.parametrize("seeds", [10, 25])
@pytest.mark.parametrize("comparisons", [1, 12])
def test_the_intervals_of_many_comparisons_miss_no_more_often_than_they_say(seeds: int, comparisons: int) -> None:
    """By the exact probability of every outcome of two units that solve a seed independently or not."""
    level = 0.05 / comparisons
    outcomes = [(better, worse) for better in range(seeds + 1) for worse in range(seeds + 1 - better)]
    intervals = []
    for better, worse in outcomes:
        difference = np.repeat([1.0, -1.0, 0.0], [better, worse, seeds - better - worse])
        intervals.append(paired_difference(np.maximum(difference, 0), np.maximum(-difference, 0), level)[1:])
    low, high = np.array(intervals).T
    counts = np.array([(better, worse, seeds - better - worse) for better, worse in outcomes])
    for p in np.linspace(0.02, 0.5, 13):
        probability = stats.multinomial.pmf(counts, seeds, [p, p, 1 - 2 * p])
        assert probability[(low > 0) | (high < 0)].sum() < 1.2 * level


def test_a_seed_that_fails_counts_as_failed() -> None:
    assert paired_difference(np.array([np.nan, 1.0]), np.array([1.0, 1.0]), 0.05)[0] == -0.5


def test_seeds_that_all_agree_leave_the_doubt_of_their_number() -> None:
    mean, low, high = paired_difference(np.ones(10), np.zeros(10), 0.05)
    # Of 12 differences, one is -1 and the others are 1.
    assert (mean, high) == (1.0, 1.0)
    assert low == pytest.approx(10 / 12 - stats.t.ppf(0.975, 9) * np.sqrt((12 - 100 / 12) / 11 / 12))
    mean, low, high = paired_difference(np.ones(10), np.ones(10), 0.05)
    assert mean == 0
    assert -low == high == pytest.approx(stats.t.ppf(0.975, 9) * np.sqrt(2 / 11 / 12))


def tiny(unit: str, operation: str, profile: str, learning_rate: float) -> Config:
    options: dict[str, Any] = {"cell": unit, "op": operation, "learning_rate": learning_rate}
    return replace(STATIC.smoke, seeds=2, steps=2, eval_every=2, input_size=8, device="cpu", **options)


COMPARISON = UnitComparison(
    {"add": ("nac",)},
    (0.01, 0.1, 0.3),
    tiny,
    lambda run: run.per_seed["solved"],
    lambda run: run.per_seed["solved_at_step"],
)


def contest(root: Path) -> Contest:
    return Contest(STATIC, COMPARISON, "add", ("nau", "nac"), "quick", root)


class Here:
    """Trains jobs in this process."""

    workers = 1

    def __call__(self, jobs: Sequence[Job]) -> Ended:
        for job in jobs:
            job.train()
            yield job, None


def set_errors(job: Job, **errors: list[float]) -> None:
    """Give the seeds of a finished run these errors."""
    columns = {name.replace("_", "/"): np.array(values) for name, values in errors.items()}
    write_columns(job.directory / SEED_SUMMARY, read_columns(job.directory / SEED_SUMMARY) | columns)
    forget_checksums(job.directory)


def test_validation_chooses_the_learning_rate_and_the_test_sets_play_no_part(tmp_path: Path) -> None:
    here = contest(tmp_path)
    jobs = here.tuning_jobs("nau")
    assert [job.config.learning_rate for job in jobs] == [0.01, 0.1, 0.3]
    assert {job.config.seed_range for job in jobs} == {range(FIRST_TUNING_SEED, FIRST_TUNING_SEED + TUNING_SEEDS)}
    sweep(jobs, Here())
    for job, inside, outside in zip(
        jobs, ([3.0, 2, 9], [1.0, np.nan, np.nan], [2.0, 1, 9]), (0.0, 0.0, 9.0), strict=True
    ):
        set_errors(job, interpolation_error=inside, extrapolation_error=[outside] * 3)
    chosen = here.best_job("nau")
    assert chosen.config.learning_rate == 0.3
    assert chosen.config.seed_range == range(2)


def test_a_whole_comparison(tmp_path: Path) -> None:
    here = contest(tmp_path)
    for unit in here.units:
        sweep(here.tuning_jobs(unit), Here())
    sweep([here.best_job(unit) for unit in here.units], Here())
    entries = here.entries()
    assert [entry.unit for entry in entries] == ["nau", "nac"]
    found = differences([(here, entries)])
    assert len(found) == 1
    results = table([(here, entries)], found)
    assert [row[0] for row in results.rows] == ["static-arithmetic add: nau", "static-arithmetic add: nac"]
    assert results.rows[0][3] == "–"
    assert figure(found).axes[0].get_yticklabels()[0].get_text() == "nac (static-arithmetic add)"


def difference(tmp_path: Path, unit: str, low: float, high: float) -> Difference:
    runs: Any = None
    own, other = (Entry(name, 0.1, runs, np.zeros(2)) for name in ("a.b:Mine", unit))
    return Difference(contest(tmp_path), own, other, (low + high) / 2, low, high)


def test_the_conclusion_claims_what_the_intervals_carry(tmp_path: Path) -> None:
    found = [difference(tmp_path, "nac", 0.1, 0.5), difference(tmp_path, "nalu", -0.5, -0.1)]
    found.append(difference(tmp_path, "nau", -0.1, 0.1))
    assert conclusion(found) == (
        "In 3 comparisons, Mine solves more than nac (static-arithmetic add); solves less than nalu (static-arithmetic "
        "add); cannot be told apart in 1."
    )
    assert conclusion(found[:1]) == "In 1 comparison, Mine solves more than nac (static-arithmetic add)."


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"cell": "nala"}, "--cell must be one of .*; did you mean nalu"),
        ({"cell": "nalu", "against": ("nacc",)}, "--against must be one of .*; did you mean nac"),
        ({"cell": "nalu", "workers": 0}, "--workers must be at least 1, got 0"),
        ({"cell": "nalu", "op": ("pow",)}, "--op must be among add, sub, mul, div, got pow"),
        (
            {"cell": "nalu", "tasks": ("identity",)},
            "--tasks must be among static-arithmetic, single-module, got identity",
        ),
        ({"cell": "nalu", "against": ("nalu",)}, "there is nothing to compare nalu with"),
        ({"cell": "no_such_module:Unit"}, "cannot import the unit 'no_such_module:Unit'"),
    ],
)
def test_wrong_options_are_one_line(
    options: dict[str, Any], message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((UserError, OptionError), match=message):
        Compare(**options)()
    assert not list(tmp_path.iterdir())


def test_the_tasks_that_compare_units_make_valid_options() -> None:
    def configs() -> Iterator[Config]:
        for name in ("static_arithmetic", "single_module"):
            comparison = load_task(name).comparison
            assert comparison is not None
            for problem, rivals in comparison.rivals.items():
                for profile in ("quick", "standard"):
                    for rate in comparison.learning_rates:
                        yield from (comparison.config(unit, problem, profile, rate) for unit in rivals)

    found = list(configs())
    assert len(set(found)) == len(found)
    by_steps = {(type(config).__module__, config.op): set() for config in found}  # type: ignore[attr-defined]
    for config in found:
        by_steps[type(config).__module__, config.op].add((config.steps, config.seeds))  # type: ignore[attr-defined]
    assert all(len(budgets) == 2 for budgets in by_steps.values()), "one budget for all units of a profile"


UNITS_OF_A_FILE = """
from torch import nn

class Mine(nn.Linear):
    pass

class Undefined(nn.Linear):
    def forward(self, x):
        return super().forward(x) * float("nan")
"""
SMALL = """
from tasks.harness.cli.main import console
from tasks.static_arithmetic import comparison

if __name__ == "__main__":
    comparison.PROFILES["quick"].update(seeds=3, steps=4, eval_every=2, eval_size=20, input_size=8)
    console()
"""


@pytest.mark.slow  # half a minute of processes
def test_the_command_trains_units_of_a_file_and_a_unit_that_gives_nan_solves_nothing(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(UNITS_OF_A_FILE)
    (tmp_path / "small.py").write_text(SMALL)
    options = ["--cell", "mine:Undefined", "--against", "mine:Mine", "mine:Mine", "--op", "add", "add"]
    options += ["--tasks", "static-arithmetic", "--workers", "1", "--out", "out"]
    ended = call([sys.executable, "small.py", "compare", *options], tmp_path)
    assert ended.returncode == 0, ended.stderr
    rows = [line.split("|") for line in (tmp_path / "out/comparison.md").read_text().splitlines() if "add:" in line]
    assert [row[1].strip() for row in rows] == ["static-arithmetic add: Undefined", "static-arithmetic add: Mine"]
    assert rows[0][3].strip().startswith("0 % [0,")
    assert "In 1 comparison, Undefined cannot be told apart in 1." in ended.stdout
    assert (tmp_path / "out/comparison.png").read_bytes().startswith(b"\x89PNG")


def test_an_output_that_cannot_be_made_is_reported_before_any_run(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        Compare(cell="nac", op=("add",), out=tmp_path / "file" / "out")()
