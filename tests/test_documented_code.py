"""The Python examples in the READMEs run unchanged; their own assertions state the expected results."""

import re

import pytest

from tests.helpers import ROOT

PAGES = ("README.md", "nalu/README.md", "docs/add-a-task.md", "docs/add-a-unit.md")


def examples() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
        if page == "README.md":
            blocks = ["\n".join(blocks)]  # each example there continues the previous one
        found += [(f"{page}-{number}", block) for number, block in enumerate(blocks)]
    return found


@pytest.mark.parametrize("code", [pytest.param(code, id=name) for name, code in examples()])
def test_example(code: str) -> None:
    exec(compile(code, "example", "exec"), {"__name__": "example"})
