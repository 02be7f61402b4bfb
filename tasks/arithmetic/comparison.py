"""The published units that others are compared with, by operation."""

from __future__ import annotations

RIVALS = {
    "add": ("nac", "nalu", "nau"),
    "sub": ("nac", "nalu", "nau"),
    "mul": ("nac-mul", "nalu", "nmu"),
    "div": ("nac-mul", "nalu", "nmru", "realnpu"),
}
