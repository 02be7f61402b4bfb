"""The console script ``nalu``: lists tasks and says its version at once, and leaves the rest to ``main``.

Importing torch takes seconds, which ``nalu list`` can do without.
"""

from __future__ import annotations

import sys
from typing import NoReturn


def console() -> NoReturn:
    """Run ``nalu`` with the arguments of the command line, and exit."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        from importlib.metadata import version

        print(f"nalu {version('nalu-suite')}")
        sys.exit(0)
    if arguments == ["list"]:
        from tasks.harness.cli.cards import print_cards

        print_cards()
        sys.exit(0)
    from tasks.harness.cli.main import console as full

    full()
