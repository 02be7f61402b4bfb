"""The Python examples of the READMEs, run as they stand; each states what to expect of it."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "nalu/README.md")


def examples() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
        if page == "README.md":
            blocks = ["\n".join(blocks)]  # there, each goes on from the one before
        found += [(f"{page}-{number}", block) for number, block in enumerate(blocks)]
    return found


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in examples()])
def test_example(code: str) -> None:
    exec(compile(code, "example", "exec"), {"__name__": "example"})
