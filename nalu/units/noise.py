"""Random numbers as a pure function of a key, a step and a position.

Generators have a state, and ``torch.func.vmap`` maps none of them over seeds. Here a number is the hash of where it
stands, so that a member of an :class:`nalu.Ensemble` draws what it draws alone, a resumed run goes on exactly (key and
step are buffers, hence in the state_dict), and nothing of this stops ``vmap``, ``torch.compile`` or ``deepcopy``.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

_WORD = 0xFFFFFFFF
# Multipliers of a 32-bit integer hash (C. Wellons, "hash-prospector", lowbias32). The second is 0x846ca68b as a signed
# number, which gives the same lower 32 bits and never overflows 64.
_MULTIPLIERS = (0x7FEB352D, 0x846CA68B - (1 << 32))


def uniform(key: Tensor, step: Tensor, like: Tensor) -> Tensor:
    """Independent numbers from U(0, 1), ends excluded, of the shape and device of ``like``.

    They are of its dtype, too, or of float32 where that has half precision: there, the largest would be rounded to 1.

    Args:
        key, step: int64 scalars; other keys or steps give other numbers.
    """
    position = torch.arange(like.numel(), device=like.device).view(like.shape)
    bits = _mix(position + _mix(step + _mix(key)))
    dtype = torch.promote_types(like.dtype, torch.float32)
    return ((bits >> 9).to(dtype) + 0.5) * 2.0**-23  # 23 bits: exact in float32, and never 1


def _mix(x: Tensor) -> Tensor:
    """A permutation of the 32-bit numbers that looks random."""
    x = x & _WORD
    for shift, multiplier in zip((16, 15), _MULTIPLIERS, strict=True):
        x = ((x ^ (x >> shift)) * multiplier) & _WORD
    return x ^ (x >> 16)


class NoiseSource(nn.Module):
    """The noise of a unit: the same numbers until :meth:`renew_noise_`, which :func:`nalu.after_step_` calls.

    Its key is drawn from torch's generator, so that it follows from the seed of the network.
    """

    key: Tensor
    step: Tensor

    def __init__(self, *, device: Any = None) -> None:
        super().__init__()
        self.register_buffer("key", torch.zeros((), dtype=torch.int64, device=device))
        self.register_buffer("step", torch.zeros((), dtype=torch.int64, device=device))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        self.key.random_(2**31)
        self.step.zero_()

    def renew_noise_(self) -> None:
        """Go on to the noise of the next step."""
        self.step.add_(1)

    def forward(self, like: Tensor) -> Tensor:
        """See :func:`uniform`."""
        return uniform(self.key, self.step, like)
