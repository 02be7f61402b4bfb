"""Result tables as Markdown and CSV, and functions that format their cells."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tasks.harness.config import Config


@dataclass(frozen=True)
class Table:
    """A table of results, for the terminal, Markdown and CSV alike."""

    title: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = ()


def markdown(table: Table) -> str:
    """The table in Markdown, with its title and notes."""
    lines = [f"### {table.title}", "", _markdown_row(table.header), "|---" + "|---:" * (len(table.header) - 1) + "|"]
    lines += [_markdown_row(row) for row in table.rows]
    lines += ["", *(f"{note}  " for note in table.notes)]
    return "\n".join(lines).rstrip() + "\n"


def comma_separated(table: Table) -> str:
    """The table as CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([map(_harmless, row) for row in (table.header, *table.rows)])
    return text.getvalue()


def _harmless(cell: str) -> str:
    """The cell, quoted if a spreadsheet would run it as a formula: text that begins with =, +, -, @ or a control."""
    if not cell.startswith(("=", "+", "-", "@", "\t", "\r")):
        return cell
    try:
        float(cell)
    except ValueError:
        return f"'{cell}"
    return cell


def number(value: float | None) -> str:
    """Three significant digits; a dash where there is no finite number."""
    return "–" if value is None else f"{value:.3g}"


def steps(value: float | None) -> str:
    """A number of steps, whole where it is whole: 10000, and not 1e+04."""
    return number(value) if value is None or not float(value).is_integer() else f"{value:.0f}"


def with_interval(value: Mapping[str, Any]) -> str:
    """A median of summary.json with its interval."""
    return f"{number(value['median'])} [{number(value['low'])}, {number(value['high'])}]"


def percent(rate: Mapping[str, Any]) -> str:
    """A success rate of summary.json with its interval, in percent."""
    return f"{100 * rate['rate']:.0f} % [{100 * rate['low']:.0f}, {100 * rate['high']:.0f}]"


def changed_options(options: Mapping[str, Any], reference: Config) -> dict[str, Any]:
    """The options of a run that differ from those of ``reference``, except the options in ``SCALE``."""
    default = reference.to_dict()
    return {
        name: value for name, value in options.items() if name not in reference.SCALE and value != default.get(name)
    }


def format_options(options: Mapping[str, Any]) -> str:
    """Options as text, for a cell of a table."""
    return ", ".join(f"{name} {value}" for name, value in options.items())


def _markdown_row(cells: Any) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", "<br>") for cell in cells) + " |"
