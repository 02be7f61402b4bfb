"""SFC64, the generator of the training data, for many seeds at once: several times as fast as seed after seed.

``sfc64.cpp`` is compiled at first use, in less than a second. If that fails, NumPy's generators draw the same numbers.
"""

from __future__ import annotations

import ctypes
import functools
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from nalu.training.compiled import compiler
from nalu.training.scratch import scratch_folder

SOURCE = Path(__file__).with_suffix(".cpp")
OPTIONS = ("-O3", "-march=native", "-std=c++17", "-shared", "-fPIC")
GROUP = 8
"""The same as in ``sfc64.cpp``."""


def is_available() -> bool:
    """Whether ``sfc64.cpp`` could be compiled on this machine."""
    return _compiled() is not None


class Together:
    """Compiled generators, one per row; each continues from the state of its NumPy generator."""

    def __init__(self, generators: Sequence[np.random.SFC64]) -> None:
        self._state = np.zeros((4, -(-len(generators) // GROUP) * GROUP), np.uint64)
        for row, generator in enumerate(generators):
            self._state[:, row] = generator.state["state"]["state"]

    def fill(self, out: np.ndarray) -> None:
        """Uniform numbers in [0, 1) for ``out``, ``(rows, columns)``, contiguous, float32; one row per generator."""
        fill = _compiled()
        assert fill is not None
        fill(self._state.ctypes.data, out.ctypes.data, *out.shape)


@functools.cache
def _compiled() -> Callable[[int, int, int, int], None] | None:
    program = compiler()
    if program is None:
        return None
    with scratch_folder() as directory:
        library = directory / "sfc64.so"
        command = [program, *OPTIONS, str(SOURCE), "-o", str(library)]
        try:
            subprocess.run(command, check=True, capture_output=True)
            fill = ctypes.CDLL(str(library)).fill
        except (OSError, subprocess.CalledProcessError):
            return None
    fill.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int64, ctypes.c_int64)
    fill.restype = None
    return fill
