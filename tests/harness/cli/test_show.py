"""`nalu show`: the formula of a trained network, as trained and rounded, with its errors; formulas in the record."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tasks.harness.cli.show_run import Show
from tasks.harness.errors import UserError
from tasks.harness.files import CONFIG, FORMULAS, METRICS, read_json, write_json
from tasks.harness.registry import load_task
from tasks.harness.report.report import report
from tasks.harness.rundir import checkpoint
from tasks.harness.rundir.checkpoint import Checkpointer
from tasks.harness.training.run import run
from tests.helpers import forget_checksums

STATIC = load_task("static_arithmetic")
TINY = replace(
    STATIC.smoke, op="sub", cell="nau", input_size=8, seeds=2, steps=2, eval_every=1, eval_size=50, device="cpu"
)


def solved(directory: Path) -> list[tuple[list[int], list[int]]]:
    """A run whose checkpoint has exact networks, which compute (a + b / 2) - (b + b / 2); the inputs of a and b."""
    run(STATIC, TINY, directory)
    saved = checkpoint.newest(directory)
    assert saved is not None
    masks = [TINY.subsets.masks(seed) for seed in TINY.seed_range]
    a, b = torch.stack(masks).unbind(dim=1)
    saved.state["model"]["template.hidden.W_hat"].copy_(torch.stack([0.5 * (a - b), a - b], dim=1))
    saved.state["model"]["template.output.W_hat"].copy_(torch.tensor([1.0, 0.5]))
    Checkpointer(directory).save(saved)
    return [tuple(mask.nonzero().flatten().tolist() for mask in pair) for pair in masks]


def shown(directory: Path, capsys: pytest.CaptureFixture[str], seed: int | None = None) -> list[str]:
    capsys.readouterr()
    Show(run=directory, seed=seed)()
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("seed", [0, 1])
def test_the_formula_as_trained_and_rounded_with_its_errors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], seed: int
) -> None:
    subsets = solved(tmp_path / "run")
    head, _, trained, formula, _, rounded, wrong, _, whole, right, distances = shown(tmp_path / "run", capsys, seed)
    assert head == f"static-arithmetic sub-nau, seed {seed}, after 2 steps"
    a, b = ([f"x{k + 1}" for k in subset] for subset in subsets[seed])
    only_a, only_b = [x for x in a if x not in b], [x for x in b if x not in a]
    assert formula == right == f"  y = {' + '.join(only_a)} - {' - '.join(only_b)}"
    assert wrong == "  y = 0"  # halves round to even: 0
    assert trained == "as trained: extrapolation error 0"
    assert whole == "rounded, the weights of the whole network: extrapolation error 0"
    assert rounded.startswith("rounded, each weight to the nearest of -1, 0 and 1: extrapolation error ")
    assert float(rounded.split()[-1]) > 0.1
    assert distances == "largest distance of a weight to -1, 0 or 1: 0.5; of a weight of the whole network: 0"


def test_wrong_directories_and_seeds_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no readable config\.json in"):
        Show(run=tmp_path)()
    run(STATIC, TINY, tmp_path / "run")
    with pytest.raises(UserError, match=r"--seed must lie in 0\.\.1, got 2"):
        Show(run=tmp_path / "run", seed=2)()
    write_json(tmp_path / "run" / CONFIG, read_json(tmp_path / "run" / CONFIG) | {"task": "os"})
    with pytest.raises(UserError, match="unknown task 'os'"):
        Show(run=tmp_path / "run")()


def test_a_network_without_units_has_no_formula(tmp_path: Path) -> None:
    task = load_task("gridworld_time")
    run(task, replace(task.smoke, steps=1, eval_every=1), tmp_path / "run")
    with pytest.raises(UserError, match="a network of gridworld-time has no arithmetic units, so it has no formula"):
        Show(run=tmp_path / "run")()
    assert not (tmp_path / "run" / FORMULAS).exists()


def test_a_run_records_formulas_for_tensorboard_and_the_report(tmp_path: Path) -> None:
    run(STATIC, TINY, tmp_path / "run")
    text = (tmp_path / "run" / FORMULAS).read_text(encoding="utf-8")
    assert [line for line in text.splitlines() if line.startswith("seed")] == ["seed 0", "seed 1"]
    assert text.count("y = ") == 2
    events = EventAccumulator(str(tmp_path / "run"))
    events.Reload()
    (event,) = events.Tensors("formula/seed_0/text_summary")
    assert text.splitlines()[1] in event.tensor_proto.string_val[0].decode()
    report([tmp_path / "run"], tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert text.splitlines()[1] in page
    (copied,) = (tmp_path / "report").glob(f"*/*/{FORMULAS}")
    assert copied.read_text(encoding="utf-8") == text


def test_a_record_with_other_metrics_is_not_continued(tmp_path: Path) -> None:
    run(STATIC, TINY, tmp_path / "run")
    (tmp_path / "run" / "summary.json").unlink()
    saved = checkpoint.newest(tmp_path / "run")
    assert saved is not None
    saved.step = saved.state["step"] = 1
    Checkpointer(tmp_path / "run").save(saved)
    metrics = tmp_path / "run" / METRICS
    metrics.write_text(metrics.read_text().replace("weights/network_sparsity", "weights/other"))
    forget_checksums(tmp_path / "run")
    with pytest.raises(UserError, match=r"metrics\.csv was recorded by another version, with other metrics"):
        run(STATIC, TINY, tmp_path / "run", resume=True)
