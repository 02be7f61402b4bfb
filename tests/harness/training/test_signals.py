"""Ctrl-C and kill stop a run between two writes, and are never lost."""

import signal
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, State
from tasks.harness.files import CONFIG, METRICS, read_json
from tasks.harness.record import Record
from tasks.harness.registry import load_task
from tasks.harness.training.run import run
from tasks.harness.training.signals import DeferredSignals

TASK = load_task("identity")
SETTING = replace(TASK.smoke, steps=6, eval_every=1)
NUMBERS = [signal.SIGINT, signal.SIGTERM]


@pytest.fixture(autouse=True)
def as_in_commands() -> Iterator[None]:
    before = {number: signal.signal(number, signal.default_int_handler) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def check_interrupted(directory: Path, last: int) -> None:
    assert read_json(directory / CONFIG)["status"] == "interrupted"
    assert Record.load(directory / METRICS).steps.tolist() == list(range(last + 1))
    assert [signal.getsignal(number) for number in NUMBERS] == [signal.default_int_handler] * 2


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_whose_exception_was_swallowed_stops_the_run_at_the_next_write(
    number: signal.Signals, tmp_path: Path
) -> None:
    def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
        for snapshot in TASK.train(config, state):
            if snapshot.step == 3:
                with suppress(KeyboardInterrupt):
                    signal.raise_signal(number)
            yield snapshot

    with pytest.raises(KeyboardInterrupt):
        run(replace(TASK, train=train), SETTING, tmp_path)
    check_interrupted(tmp_path, last=3)


@pytest.mark.parametrize("number", NUMBERS)
def test_a_signal_during_a_write_waits_for_its_end(number: signal.Signals, tmp_path: Path) -> None:
    told = []

    def on_snapshot(snapshot: Snapshot) -> None:
        if snapshot.step == 2:
            signal.raise_signal(number)
        told.append(snapshot.step)

    with pytest.raises(KeyboardInterrupt):
        run(TASK, SETTING, tmp_path, on_snapshot=on_snapshot)
    assert told == [0, 1, 2]
    check_interrupted(tmp_path, last=2)


def test_a_signal_during_training_stops_it_at_once(tmp_path: Path) -> None:
    def train(config: Config, state: State | None = None) -> Iterator[Snapshot]:
        for snapshot in TASK.train(config, state):
            if snapshot.step == 2:
                signal.raise_signal(signal.SIGINT)
            yield snapshot

    with pytest.raises(KeyboardInterrupt):
        run(replace(TASK, train=train), SETTING, tmp_path)
    check_interrupted(tmp_path, last=1)


def test_a_handler_installed_by_a_handler_stays() -> None:
    def once(number: int, frame: object) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, once)
    with pytest.raises(KeyboardInterrupt), DeferredSignals():
        signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def test_an_ignored_signal_stays_ignored() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    passed = False
    with DeferredSignals() as interrupts, interrupts.deferred():
        signal.raise_signal(signal.SIGTERM)
        passed = True
    assert passed
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_IGN
