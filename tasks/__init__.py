"""The tasks. ``nalu new-task`` adds one, as a folder here or as a package of its own; see docs/add-a-task.md."""

import sys
from pathlib import Path

TASKS = (
    "identity",
    "static_arithmetic",
    "six_operations",
    "single_module",
    "recurrent_arithmetic",
    "blog_example",
    "mnist_counting",
    "number_translation",
    "gridworld_time",
)


def _refuse_scripts() -> None:
    """Say which command runs a task, if Python was started with a file of it that does nothing by itself."""
    main = sys.modules["__main__"]
    script = Path(getattr(main, "__file__", None) or "").resolve()
    task = script.parent.name
    if getattr(main, "__spec__", None) or script.parent.parent != Path(__file__).resolve().parent or task not in TASKS:
        return
    if script.name != "__main__.py" and "__main__" not in script.read_text(encoding="utf-8"):
        print(f"error: {script.name} is a part of a task, not a command; run python -m tasks.{task}", file=sys.stderr)
        raise SystemExit(2)


_refuse_scripts()
