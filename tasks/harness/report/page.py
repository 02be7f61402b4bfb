"""The report as one self-contained HTML page: it needs no network, no script and no other file."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from jinja2 import Environment, StrictUndefined

from tasks.harness import verdict
from tasks.harness.files import read_text
from tasks.harness.finished_run import FinishedRun
from tasks.harness.report.command_lines import run_command, sweep_command
from tasks.harness.report.curve_figures import labels
from tasks.harness.tables import Table
from tasks.harness.terminal.sanitize import sanitize
from tasks.harness.verdict import Verdict

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from tasks.harness.report.chapter import Chapter

TEMPLATE = Path(__file__).with_name("page.html")
COUNTED = tuple(entry for entry in Verdict if entry is not Verdict.NO_FIGURE)


@dataclass(frozen=True)
class Picture:
    """A figure inside the page."""

    caption: str
    alt: str
    size: tuple[int, int]
    """Width and height in pixels, so that the layout does not shift while the page loads."""
    data: str
    """The PNG in base64."""

    @classmethod
    def of(cls, figure: Figure, png: bytes) -> Self:
        """The picture of a figure, described by its own title, labels and legend."""
        axes = [one for one in figure.axes if one.axison]
        title = figure.get_suptitle() or next((one.get_title() for one in axes if one.get_title()), "figure")
        caption = " ".join(title.split())
        x, y = (
            getattr(figure, f"get_sup{name}label")()
            or next((label for one in axes if (label := getattr(one, f"get_{name}label")())), "")
            for name in "xy"
        )
        lines = {text for one in axes for text in one.get_legend_handles_labels()[1]}
        told = f"; lines: {', '.join(sorted(lines))}" if lines else ""
        width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))  # from the PNG's header
        size, data = (width, height), base64.b64encode(png).decode()
        return cls(caption, f"Chart. {caption}. {y or 'value'} against {x or 'setting'}{told}.", size, data)


def page(chapters: Sequence[Chapter], pictures: Mapping[str, Sequence[Picture]], problems: Sequence[str] = ()) -> str:
    """The page.

    Args:
        pictures: task name to its pictures.
        problems: what could not be shown, one line each.
    """
    # Records may come from strangers, so everything that is filled in is escaped.
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    parts = [_part(chapter, pictures[chapter.task.name]) for chapter in chapters]
    total: Counter[Verdict] = sum((part["count"] for part in parts), Counter())
    return environment.from_string(read_text(TEMPLATE)).render(
        parts=parts,
        problems=problems,
        total=total,
        counted=COUNTED,
        decided=sum(total[entry] for entry in (Verdict.REPRODUCED, Verdict.BETTER, Verdict.NOT_REPRODUCED)),
        rules=(verdict.RATE_RULE, verdict.ERROR_RULE),
        Verdict=Verdict,
    )


def _part(chapter: Chapter, pictures: Sequence[Picture]) -> dict[str, Any]:
    task, runs = chapter.task, chapter.runs
    configs = [task.config.from_dict(run.options) for run in runs]
    verdicts = [_verdicts(table) for table in chapter.tables]
    return {
        "task": task,
        "what": " ".join((task.config.__doc__ or "").split("\n\n")[0].split()),
        "command": sweep_command(task, configs),
        "tables": list(zip(chapter.tables, verdicts, strict=True)),
        "pictures": pictures,
        "count": Counter(entry for found in verdicts for entry in found if entry is not None),
        "failed": [
            (f"{task.name}-{number}-{i}", row[0])
            for number, (table, found) in enumerate(zip(chapter.tables, verdicts, strict=True), start=1)
            for i, (row, entry) in enumerate(zip(table.rows, found, strict=True), start=1)
            if entry is Verdict.NOT_REPRODUCED
        ],
        "made": _provenance(runs),
        "runs": [
            {
                "label": label,
                "command": run_command(task, config),
                "commit": _commit(run),
                "run": run,
                "formulas": "\n".join(map(sanitize, run.formulas.splitlines())),
            }
            for run, config, label in zip(runs, configs, labels(runs), strict=True)
        ],
    }


def _verdicts(table: Table) -> list[Verdict | None]:
    """The verdict of every row; None for a row without a verdict that counts."""
    if verdict.COLUMN not in table.header:
        return [None] * len(table.rows)
    column = list(table.header).index(verdict.COLUMN)
    found = [verdict.verdict_of(row[column]) for row in table.rows]
    return [entry if entry in COUNTED else None for entry in found]


def _provenance(runs: Sequence[FinishedRun]) -> dict[str, str]:
    """The commits, versions and machines of the runs, each value once."""

    def each(values: list[str]) -> str:
        return ", ".join(dict.fromkeys(values))

    versions = [run.description.get("versions") for run in runs]
    packages = [
        sanitize(f"{name} {version}")
        for found in versions
        if isinstance(found, dict)
        for name, version in found.items()
        if isinstance(version, str)
    ]
    devices = [run.description.get("device") for run in runs]
    return {
        "commit": each([_commit(run) for run in runs]),
        "versions": each(packages) or "not recorded",
        "machine": each([sanitize(device) if isinstance(device, str) else "not recorded" for device in devices]),
    }


def _commit(run: FinishedRun) -> str:
    """The commit, shortened, and whether files differed from it; config.json has the full commit."""
    recorded = run.description.get("git_commit")
    commit, *changed = (recorded if isinstance(recorded, str) else "outside a repository").split("-dirty")
    return commit[:12] + (" (changed)" if changed else "") if commit.isalnum() else sanitize(commit)
