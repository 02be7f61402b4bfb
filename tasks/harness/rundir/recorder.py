"""Recording: metrics.csv is the authoritative record, TensorBoard is a view of it."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np

from tasks.harness.config import Config
from tasks.harness.contract import Snapshot, Task
from tasks.harness.errors import UserError
from tasks.harness.files import FORMULAS, METRICS, METRICS_SHA256, read_text, write_text
from tasks.harness.rundir.formulas import formulas_by_seed
from tasks.harness.rundir.tensorboard import TensorBoard


class Recorder:
    """Consumes the snapshots of one run. Training never sees it.

    Args:
        resumed_at: the step of the checkpoint that the run continues from; later rows are dropped and recorded again.
    """

    def __init__(self, directory: Path, task: Task, config: Config, resumed_at: int | None = None) -> None:
        self._directory = directory
        self._last_step = config.steps
        self._files = task.files
        self._path = directory / METRICS
        self._seeds = list(config.seed_range)
        if resumed_at is not None:
            _truncate(self._path, resumed_at)
        mode = "a" if resumed_at is not None else "w"
        self._file = self._path.open(mode, newline="", encoding="utf-8")
        self._checksums = (directory / METRICS_SHA256).open(mode, newline="", encoding="utf-8")
        self._header = read_text(self._path).partition("\n")[0]
        self._digest = hashlib.sha256(self._path.read_bytes())
        self._length = self._file.tell()
        self._tensorboard = TensorBoard(directory, task, config, resumed_at)
        self._last = (resumed_at or 0, time.monotonic())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        try:
            self._file.close()
            self._checksums.close()
        finally:
            self._tensorboard.close()

    def write(self, snapshot: Snapshot) -> None:
        """Append one row per seed to metrics.csv and update TensorBoard; at the last step, write further files."""
        metrics = {name: values.detach().cpu().numpy() for name, values in snapshot.metrics.items()}
        header = ",".join(["step", "seed", *metrics])
        if self._length and header != self._header:
            raise UserError(f"{self._path} was recorded by another version, with other metrics; use --overwrite")
        lines = [] if self._length else [header]
        self._header = header
        columns = [[_cell(value) for value in values] for values in metrics.values()]
        lines += [
            f"{snapshot.step},{seed},{','.join(cells)}" for seed, *cells in zip(self._seeds, *columns, strict=True)
        ]
        self._append("".join(f"{line}\n" for line in lines), snapshot.step)
        self._tensorboard.write(snapshot, metrics, self._speed(snapshot.step))
        if snapshot.step == self._last_step:
            for name, write_file in snapshot.files.items():
                if name not in self._files:
                    raise ValueError(f"the task's card does not name the file {name}")
                write_file(self._directory / name)
            formulas = formulas_by_seed(snapshot.model, self._seeds)
            if formulas:
                text = "\n".join("\n".join([f"seed {seed}", *lines, ""]) for seed, lines in formulas.items())
                write_text(self._directory / FORMULAS, text)
            self._tensorboard.write_formulas(formulas, snapshot.step)

    def _append(self, rows: str, step: int) -> None:
        self._file.write(rows)
        self._file.flush()
        self._digest.update(rows.encode())
        self._length += len(rows.encode())
        self._checksums.write(f"{step} {self._length} {self._digest.hexdigest()}\n")
        self._checksums.flush()

    def sync(self) -> None:
        """Flush the record to disk, so that it survives a power cut; called before a checkpoint is saved."""
        os.fsync(self._file.fileno())

    def finish(self, results: dict[str, float]) -> None:
        """Show the final results in TensorBoard's table of runs."""
        self._tensorboard.finish(results)

    def _speed(self, step: int) -> float | None:
        """Model-steps per second since the last evaluation."""
        last_step, last_time = self._last
        now = time.monotonic()
        self._last = (step, now)
        if step == last_step or now == last_time:  # some clocks are coarse
            return None
        return (step - last_step) * len(self._seeds) / (now - last_time)


def _cell(value: np.generic) -> str:
    """The shortest text that reads back as the same number; a bool is 0 or 1."""
    return str(int(value)) if isinstance(value, np.bool_ | np.integer) else str(value)


def _truncate(path: Path, step: int) -> None:
    """Keep the rows up to ``step``."""
    header, *rows = read_text(path).splitlines(keepends=True) if path.exists() else [""]
    kept = [row for row in rows if row.endswith("\n") and float(row.split(",", 1)[0]) <= step]
    known = path.with_name(METRICS_SHA256)  # first: too few checksums do no harm
    if known.exists():
        lines = [line for line in read_text(known).splitlines() if line.split(" ", 1)[0].isdigit()]
        write_text(known, "".join(f"{line}\n" for line in lines if int(line.split(" ", 1)[0]) <= step))
    write_text(path, "".join([header, *kept]))
