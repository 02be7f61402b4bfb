"""The networks: a convnet encodes every image, and a recurrent cell accumulates the encodings."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Annotated, Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from nalu import NAC, NALU, NAU, NMU, ArithmeticCell, Ensemble, GRUCell, LSTMCell, RNNCell, functional, inspection
from nalu.init import Init
from nalu.units.catalogue import UNITS, constructor
from tasks.harness.cells import choice

ARITHMETIC = ("nac", "nalu", "nau", "nmu")
"""Units that can start as the identity, and whose recurrent weights are penalised and rounded."""
BASELINES: dict[str, Callable[[int, int], nn.Module]] = {
    "lstm": LSTMCell,
    "gru": GRUCell,
    "rnn-tanh": partial(RNNCell, nonlinearity="tanh"),
    "rnn-relu": partial(RNNCell, nonlinearity="relu"),
}

CELLS = (*ARITHMETIC, *BASELINES, "exact", *(name for name in UNITS if name not in ARITHMETIC))
Cell = Annotated[str, choice(CELLS)]

IDENTITY = 16.0
"""W_hat and M_hat of a weight that starts as 1. tanh(16) sigmoid(16) = 1 - 1e-7, accurate enough for 1000 steps."""

MEAN, STD = 0.1307, 0.3081
"""Of the pixels of MNIST's training images, scaled to [0, 1]."""
IMAGES_AT_ONCE = 1000
"""Images per forward pass of an evaluation; few enough to fit into the processor's cache."""


class Encoder(nn.Module):
    """The convnet of PyTorch's MNIST example of 2018, without dropout: uint8 ``(N, 28, 28) -> (N, features)``.

    Args:
        softmax: apply a softmax over the features.
    """

    def __init__(self, features: int, *, softmax: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 10, 5)
        self.conv2 = nn.Conv2d(10, 20, 5)
        self.fc1 = nn.Linear(320, 50)
        self.fc2 = nn.Linear(50, features)
        self.softmax = softmax

    def forward(self, images: Tensor) -> Tensor:
        x = (images.unsqueeze(1) / 255 - MEAN) / STD
        x = F.relu(F.max_pool2d(self.conv1(x), 2))
        x = F.relu(F.max_pool2d(self.conv2(x), 2))
        x = self.fc2(F.relu(self.fc1(x.flatten(1))))
        return x.softmax(dim=-1) if self.softmax else x


class Recurrent(nn.Module):
    """Runs ``cell`` over a series and applies ``output`` to each state: ``(..., T, features) -> (..., T, outputs)``."""

    def __init__(self, cell: Any, output: nn.Module) -> None:
        super().__init__()
        self.cell = cell
        self.output = output

    def forward(self, x: Tensor) -> Tensor:
        steps = x.unbind(dim=-2)
        state = self.cell.initial_state(steps[0])
        outputs = []
        for step in steps:
            state = self.cell(step, state)
            outputs.append(self.output(state[0] if isinstance(state, tuple) else state))
        return torch.stack(outputs, dim=-2)


class ExactCell(nn.Module):
    """Exact accumulation without parameters, ``h_t = h_{t-1} + x_t`` or ``h_t = h_{t-1} x_t``.

    No cell can do better. Madsen & Johansen 2020 call it the solved accumulator.
    """

    def __init__(self, *, product: bool) -> None:
        super().__init__()
        self.product = product

    def initial_state(self, x: Tensor) -> Tensor:
        """Zeros (ones for a product) in the shape of ``x``."""
        return torch.ones_like(x) if self.product else torch.zeros_like(x)

    def forward(self, x: Tensor, h: Tensor) -> Tensor:
        return h * x if self.product else h + x


class Networks(nn.Module):
    """S networks, one per seed: images ``(S, ..., T, 28, 28) -> (S, ..., T, outputs)``.

    The convnets run one after the other, which is faster than one grouped convolution (see the README). The recurrent
    parts are an Ensemble.

    Args:
        encoder, recurrent: functions that build the two parts of one network.
        natively_batched: whether the recurrent part is natively batched; see :class:`nalu.Ensemble`.
    """

    def __init__(
        self,
        encoder: Callable[[], nn.Module],
        recurrent: Callable[[], nn.Module],
        seeds: range,
        *,
        natively_batched: bool = False,
    ) -> None:
        super().__init__()
        encoders = Ensemble(encoder, seeds)
        members = nn.ModuleList(encoders.member(k) for k in range(len(seeds)))
        self.encoders = members.to(memory_format=torch.channels_last)
        self.recurrent = Ensemble(recurrent, seeds, natively_batched=natively_batched)

    def forward(self, images: Tensor) -> Tensor:
        return self.recurrent(self.encode(images))

    def encode(self, images: Tensor) -> Tensor:
        """Encode the images of each seed with its own convnet: ``(S, ..., 28, 28) -> (S, ..., features)``."""
        flat = images.flatten(1, -3)
        features = torch.stack([encoder(own) for encoder, own in zip(self.encoders, flat, strict=True)])
        return features.unflatten(1, images.shape[1:-2])

    @torch.no_grad()
    def encode_shared(self, images: Tensor) -> Tensor:
        """Encode the same images with every convnet: ``(N, 28, 28) -> (S, N, features)``."""
        parts = images.split(IMAGES_AT_ONCE)
        return torch.stack([torch.cat([encoder(part) for part in parts]) for encoder in self.encoders])

    def clip_grad_norm_(self, max_norm: float) -> None:
        """Clip the gradient norms of each seed's convnet and of its recurrent part to ``max_norm``, in place."""
        for encoder in self.encoders:
            nn.utils.clip_grad_norm_(encoder.parameters(), max_norm)
        self.recurrent.clip_grad_norm_(max_norm)


def build_recurrent(
    cell: str,
    features: int,
    outputs: int,
    *,
    hidden: int,
    product: bool,
    recurrent_start: Literal["identity", "unit"],
    input_start: float,
    gate_bias: float,
    init: Init,
) -> Recurrent:
    """The recurrent part of one seed. The state of an arithmetic cell is the answer; baselines have a linear output.

    Args:
        hidden: hidden size of a baseline; other cells ignore it.
        product: whether the answer is a product; the state then starts at 1.
        recurrent_start: initialise the state-to-state weights as the identity, or as the unit does.
        input_start: initialise W_hat and M_hat of the input weights as this multiple of the identity; 0: as the unit
            does.
        gate_bias: initial gate bias of a NALU; 0: no bias.
    """
    if cell == "exact":
        return Recurrent(ExactCell(product=product), nn.Identity())
    if cell in BASELINES:
        return Recurrent(BASELINES[cell](features, hidden), nn.Linear(hidden, outputs))
    unit = constructor(cell, init)
    if cell == "nalu":
        unit = partial(unit, gate_bias=gate_bias or None)
    arithmetic = ArithmeticCell(unit, features, outputs, start=float(product))
    if recurrent_start == "identity":
        _set_identity_(arithmetic.unit, slice(features, None), IDENTITY)
    if input_start:
        _set_identity_(arithmetic.unit, slice(features), input_start)
    return Recurrent(arithmetic, nn.Identity())


@torch.no_grad()
def _set_identity_(unit: NAC | NALU | NAU | NMU, columns: slice, scale: float) -> None:
    """Set a block of weights to the identity; in a NAC or NALU, set W_hat and M_hat to ``scale`` times the identity."""
    block = unit.W_hat[:, columns]
    identity = torch.eye(*block.shape)
    if isinstance(unit, (NAU, NMU)):
        block.copy_(identity)
    else:
        block.copy_(scale * identity)
        unit.M_hat[:, columns] = scale * identity


def recurrent_weights(recurrent: Ensemble) -> Tensor | None:
    """The state-to-state weights of ARITHMETIC cells, ``(S, outputs, outputs)``; None for other cells."""
    cell = recurrent.template.cell
    return cell.unit.W[..., cell.input_size :] if _is_of_known_unit(cell) else None


def _is_of_known_unit(cell: nn.Module) -> bool:
    return isinstance(cell, ArithmeticCell) and isinstance(cell.unit, NAC | NALU | NAU | NMU)


def penalty(recurrent: Ensemble) -> Tensor:
    """The sparsity penalty of each seed, ``(S,)``: summed distances of the recurrent weights to {-1, 0, 1}."""
    W = recurrent_weights(recurrent)
    if W is None:
        return torch.zeros(len(recurrent), device=next(recurrent.parameters()).device)
    return functional.sparsity(W).sum(dim=(-2, -1))


@torch.no_grad()
def snapped(recurrent: Ensemble) -> Ensemble:
    """A copy with each recurrent weight rounded to the nearest of {-1, 0, 1}; input weights are unchanged."""
    copy = inspection.snapped(recurrent)
    if _is_of_known_unit(recurrent.template.cell):
        inputs = slice(recurrent.template.cell.input_size)
        for before, after in zip(recurrent.parameters(), copy.parameters(), strict=True):
            after[..., inputs] = before[..., inputs]
    return copy


@torch.no_grad()
def mean_gate(recurrent: Ensemble, x: Tensor) -> Tensor | None:
    """Mean gate of a NALU cell over all steps of the series: ``(S, N, T, features) -> (S,)``; None for other cells."""
    unit = getattr(recurrent.template.cell, "unit", None)
    if not isinstance(unit, NALU) or unit.G is None:
        return None
    states = recurrent(x)
    inputs = torch.cat([x[:, :, 1:], states[:, :, :-1]], dim=-1).flatten(1, 2)
    logits = functional.linear(inputs, unit.G)
    if unit.gate_bias is not None:
        logits = logits + unit.gate_bias.unsqueeze(1)
    return torch.sigmoid(logits).mean(dim=(1, 2))
