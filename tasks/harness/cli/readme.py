"""``python -m tasks.harness.cli.readme``: put the committed tables into the READMEs that show them.

A README shows a table between two comments; the first one names the file::

    <!-- table: runs/reference/identity/table-1.md -->
    <!-- /table -->
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tasks.harness.cli.main import guarded
from tasks.harness.cli.parsing import parse
from tasks.harness.errors import UserError
from tasks.harness.files import read_text, write_text

ROOT = Path(__file__).parents[3]
TABLE = re.compile(r"(<!-- table: (\S+) -->\n).*?(<!-- /table -->)", flags=re.DOTALL)


def readmes(root: Path = ROOT) -> Iterator[Path]:
    """The READMEs of the project and of its tasks."""
    yield root / "README.md"
    yield from sorted((root / "tasks").glob("*/README.md"))


def refreshed(text: str, root: Path = ROOT) -> str:
    """The text of a README, with every table replaced by the content of its file.

    Raises:
        UserError: when the README names a file that is missing.
    """

    def table(match: re.Match[str]) -> str:
        begin, name, end = match.groups()
        if not (root / name).is_file():
            raise UserError(f"a README shows {name}, which does not exist")
        return f"{begin}{read_text(root / name)}{end}"

    return TABLE.sub(table, text)


@dataclass(frozen=True)
class Refresh:
    """Put the committed tables into the READMEs that show them."""

    def __call__(self) -> None:
        """Rewrite the READMEs whose tables differ from their files."""
        if not (ROOT / "pyproject.toml").is_file():
            raise UserError(f"this command rewrites READMEs and needs a checkout of the project, but {ROOT} is not one")
        for readme in readmes():
            before = read_text(readme)
            if (after := refreshed(before)) != before:
                write_text(readme, after)
                print(f"tables refreshed: {readme.relative_to(ROOT)}")


if __name__ == "__main__":
    guarded(lambda: parse(Refresh, sys.argv[1:], "python -m tasks.harness.cli.readme", Refresh.__doc__ or "")())
