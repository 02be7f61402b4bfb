"""Tables on the terminal."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table as RichTable

from tasks.harness.tables import Table


class Output(Console):
    """A rich console that leaves a closed pipe to :func:`tasks.harness.cli.main.guarded`, and does not exit itself."""

    def on_broken_pipe(self) -> None:
        """The reader of our output has seen enough."""
        raise BrokenPipeError


def show(table: Table, console: Console | None = None) -> None:
    """Print a table to the terminal, or as plain text when there is none."""
    console = console or Output()
    if not console.is_terminal:
        console = Output(file=console.file, width=200)
    # Escaped, because rich reads text in brackets as a style.
    caption = escape("\n".join(table.notes))
    rich_table = RichTable(title=escape(table.title), caption=caption, title_justify="left", caption_justify="left")
    for column, name in enumerate(table.header):
        rich_table.add_column(escape(name), justify="left" if column == 0 else "right")
    for row in table.rows:
        rich_table.add_row(*map(escape, row))
    console.print(rich_table, highlight=False)
