"""Legends of figures with several runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes


def legend_entries(axes: Axes) -> tuple[list[Artist], list[str]]:
    """Handles and labels, the arguments of ``legend``; each label once, or many runs of a name leave no room."""
    handles, labels = axes.get_legend_handles_labels()
    entries = dict(zip(labels, handles, strict=True))
    return list(entries.values()), list(entries)
