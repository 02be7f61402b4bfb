"""The options that define a problem on subset sums; static arithmetic and six operations share them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from tasks.arithmetic import thresholds
from tasks.arithmetic.problem import Operation, Subsets
from tasks.arithmetic.subset_sums import SubsetSums
from tasks.harness import config as harness
from tasks.harness.config import flag, require

LARGEST_INPUT = 1e6


@dataclass(frozen=True, kw_only=True)
class SubsetSumsConfig(harness.Config):
    """Learn y = f(a, b), where a and b are sums of two fixed subsets of the inputs, and extrapolate."""

    SCALE = (*harness.Config.SCALE, "eval_size")

    op: Operation = "add"
    """The operation f: a + b, a - b, a * b, a / b, a^2 or the square root of a."""
    batch_size: int = 128
    """Examples in a batch."""
    input_size: int = 100
    """Number of inputs."""
    subset_ratio: float = 0.25
    """Size of each subset, as a fraction of the inputs."""
    overlap_ratio: float = 0.5
    """Fraction of a subset that is shared with the other one."""
    interpolation_range: tuple[float, ...] = (1.0, 2.0)
    """Range of the inputs in training and validation: LOW HIGH, or LOW HIGH LOW HIGH for two intervals."""
    extrapolation_range: tuple[float, ...] = (2.0, 6.0)
    """Range of the inputs in the extrapolation test."""
    eval_size: int = 10_000
    """Examples in each of the two fixed evaluation sets."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_positive("batch_size", "input_size", "eval_size")
        # The threshold is simulated, with a million examples.
        require(self.input_size <= 1000, f"--input-size must lie in 1..1000, got {self.input_size}")
        for name in ("interpolation_range", "extrapolation_range"):
            _require_range(name, getattr(self, name), lowest=0.0 if self.op == "root" else -LARGEST_INPUT)
        require(0 < self.subset_ratio <= 1, f"--subset-ratio must lie in (0, 1], got {self.subset_ratio}")
        require(0 <= self.overlap_ratio <= 1, f"--overlap-ratio must lie in [0, 1], got {self.overlap_ratio}")
        require(
            self.subsets.size >= 1 and self.subsets.span <= self.input_size,
            f"--subset-ratio and --overlap-ratio must give two subsets that fit into --input-size {self.input_size}, "
            f"got {self.subsets.size} inputs each, {self.subsets.overlap} of them shared",
        )

    @property
    def subsets(self) -> Subsets:
        """Sizes of the two subsets."""
        size = int(self.subset_ratio * self.input_size)
        return Subsets(self.input_size, size, int(self.overlap_ratio * size))

    def threshold(self, subsets: Subsets | None = None) -> float:
        """The extrapolation error below which a seed is solved."""
        return thresholds.of_subsets(self.op, subsets or self.subsets, self.extrapolation_range)

    def data(self, device: torch.device) -> SubsetSums:
        """The batches and evaluation sets of all seeds."""
        return SubsetSums(
            self.op,
            self.subsets,
            self.seed_range,
            interpolation_range=self.interpolation_range,
            extrapolation_range=self.extrapolation_range,
            batch_size=self.batch_size,
            eval_size=self.eval_size,
            device=device,
            generator=self.data_generator,
        )


def _require_range(name: str, bounds: tuple[float, ...], lowest: float) -> None:
    wanted = f"{flag(name)} must be LOW HIGH, or LOW HIGH LOW HIGH for two intervals of one width"
    given = f"got {' '.join(str(bound).removesuffix('.0') for bound in bounds)}"
    require(len(bounds) in (2, 4), f"{wanted}, {given}")
    require(
        all(lowest <= bound <= LARGEST_INPUT for bound in bounds),
        f"{flag(name)} must lie in [{lowest:g}, {LARGEST_INPUT:g}], {given}",
    )
    require(all(low < high for low, high in zip(bounds[::2], bounds[1::2], strict=True)), f"{wanted}, {given}")
    if len(bounds) == 4:
        require(math.isclose(bounds[1] - bounds[0], bounds[3] - bounds[2]), f"{wanted}, {given}")
