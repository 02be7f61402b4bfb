"""Tables for the terminal, as Markdown and as CSV; numbers as people read them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import Any

from rich.console import Console
from rich.table import Table as RichTable

from tasks.harness.config import Config
from tasks.harness.contract import Table


def show(table: Table, console: Console | None = None) -> None:
    """Print a table to the terminal, or as plain text when there is none."""
    console = console or Console()
    if not console.is_terminal:
        console = Console(file=console.file, width=200)
    caption = "\n".join(table.notes)
    rich_table = RichTable(title=table.title, caption=caption, title_justify="left", caption_justify="left")
    for column, name in enumerate(table.header):
        rich_table.add_column(name, justify="left" if column == 0 else "right")
    for row in table.rows:
        rich_table.add_row(*row)
    console.print(rich_table, highlight=False)


def markdown(table: Table) -> str:
    """The table in Markdown, with its title and notes."""
    lines = [f"### {table.title}", "", _markdown_row(table.header), "|---" + "|---:" * (len(table.header) - 1) + "|"]
    lines += [_markdown_row(row) for row in table.rows]
    lines += ["", *(f"{note}  " for note in table.notes)]
    return "\n".join(lines).rstrip() + "\n"


def comma_separated(table: Table) -> str:
    """The table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([table.header, *table.rows])
    return text.getvalue()


def number(value: float | None) -> str:
    """Three significant digits; a dash where there is no finite number."""
    return "–" if value is None else f"{value:.3g}"


def with_interval(value: Mapping[str, Any]) -> str:
    """A median of summary.json with its interval."""
    return f"{number(value['median'])} [{number(value['low'])}, {number(value['high'])}]"


def percent(rate: Mapping[str, Any]) -> str:
    """A success rate of summary.json with its interval, in percent."""
    return f"{100 * rate['rate']:.0f} % [{100 * rate['low']:.0f}, {100 * rate['high']:.0f}]"


SCALE = ("seeds", "first_seed", "steps", "eval_every", "eval_size", "device")
"""Options that say how much was done, not what; tables show them elsewhere."""


def changed_options(options: Mapping[str, Any], reference: Config) -> dict[str, Any]:
    """The options of a run that differ from those of ``reference``, but for its scale."""
    default = reference.to_dict()
    return {name: value for name, value in options.items() if name not in SCALE and value != default.get(name)}


def named(options: Mapping[str, Any]) -> str:
    """Options as text, for a cell of a table."""
    return ", ".join(f"{name} {value}" for name, value in options.items())


def summary_table(summary: dict[str, Any], label: str) -> Table:
    """summary.json as a table."""
    rows = []
    for name, rate in summary["rates"].items():
        rows.append([name, f"{rate['count']}/{rate['of']}", percent(rate), ""])
    for name, value in summary["metrics"].items():
        interval = f"[{number(value['low'])}, {number(value['high'])}]"
        spread = f"{number(value['p10'])} … {number(value['p90'])}"
        rows.append([name, number(value["median"]), interval, spread])
    note = (
        f"{summary['seeds']} seeds x {summary['steps']} steps in {summary['wall_seconds']:.1f} s, "
        f"{summary['model_steps_per_second']:.0f} model-steps a second"
    )
    header = ["result", "count or median", "95 % interval", "p10 … p90 over seeds"]
    return Table(f"{summary['task']}: {label}", header, rows, [note])


def _markdown_row(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", "<br>") for cell in cells) + " |"
