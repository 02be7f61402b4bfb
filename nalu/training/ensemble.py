"""Many seeds as one network."""

from __future__ import annotations

import copy
import operator
import threading
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap


class Ensemble(nn.Module):
    """S independent networks of one architecture, trained as one.

    Every parameter of ``build()`` is stacked along a new first axis, the seed. A forward pass maps the network over
    that axis, so that a batched product replaces S small ones; no operation mixes two members.

    For members to stay independent in training, reduce the loss to a vector ``(S,)`` and call backward on its *sum*
    (a mean would make a member's gradient depend on how many companions it has), use an optimiser that works
    elementwise (SGD, Adam, RMSprop, ...), and clip gradients with :meth:`clip_grad_norm_`.

    Shapes: ``(S, B, ...) -> (S, B, ...)``.

    Args:
        build: makes one member. Called once per seed with torch's generators seeded by it, so that member k is
            exactly what ``torch.manual_seed(seeds[k]); build()`` makes.
        seeds: one seed a member.
        natively_batched: the network, given stacked parameters and inputs ``(S, B, ...)``, computes by itself what
            ``vmap`` would make of it. It is then called directly, which saves time where single calls are small, and
            arguments need not be tensors. True of nalu's additive units and cells and of elementwise operations on
            them; not of ``torch.nn.Linear``.

    Raises:
        ValueError: when ``seeds`` is empty, the built networks differ in their parameters, or parameters are tied.
        TypeError: when ``seeds`` are no whole numbers.

    Not for layers that draw random numbers in a forward pass (dropout in training mode): ``vmap`` refuses them.

    Example:
        >>> model = Ensemble(lambda: nn.Sequential(NAC(100, 2), NAC(2, 1)), seeds=range(25))
        >>> model(torch.rand(25, 128, 100)).shape
        torch.Size([25, 128, 1])
    """

    def __init__(self, build: Callable[[], nn.Module], seeds: Sequence[int], *, natively_batched: bool = False) -> None:
        super().__init__()
        self.natively_batched = natively_batched
        self.seeds = _checked(seeds)
        members = [_seeded(build, seed) for seed in self.seeds]
        if len(list(members[0].named_parameters(remove_duplicate=False))) != len(list(members[0].parameters())):
            raise ValueError("an Ensemble cannot hold tied parameters (one tensor under two names)")
        tensors = [_tensors(member) for member in members]
        for other in tensors[1:]:
            if {name: t.shape for name, t in other.items()} != {name: t.shape for name, t in tensors[0].items()}:
                raise ValueError("build() must make the same parameters, in name and shape, for every seed")
        # The template gives structure and code; its own tensors are replaced by the stacked ones.
        self.template: Any = members[0]
        for name in tensors[0]:
            _replace(self.template, name, torch.stack([member[name].detach() for member in tensors]))

    def __len__(self) -> int:
        return len(self.seeds)

    def forward(self, *inputs: Any, shared: bool = False) -> Any:
        """Apply member k to entry k of every input.

        Args:
            inputs: tensors (or nested tuples, lists, dicts of tensors) with a first axis of size S.
            shared: the inputs have no seed axis; every member sees the same ones.

        Returns:
            What the network returns, every tensor with a new first axis of size S.

        Raises:
            ValueError: when an input has another first axis, and is not ``shared``.
        """
        if not shared:
            self._check(inputs)
            if self.natively_batched:
                return self.template(*inputs)

        def member(tensors: dict[str, Tensor], *x: Any) -> Any:
            return functional_call(self.template, tensors, x)

        in_dims = (0, *[None if shared else 0 for _ in inputs])
        return vmap(member, in_dims=in_dims)(self.stacked(), *inputs)

    def _check(self, inputs: Sequence[Any]) -> None:
        for x in inputs:
            if isinstance(x, Tensor) and (x.ndim == 0 or x.shape[0] != len(self)):
                raise ValueError(
                    f"the first axis of an input must be that of the {len(self)} seeds, got shape {tuple(x.shape)}; "
                    "with shared=True all seeds see the same input"
                )

    def stacked(self) -> dict[str, Tensor]:
        """The parameters and buffers by their names in a member, each with the seed as first axis."""
        return _tensors(self.template)

    def member(self, k: int) -> nn.Module:
        """A plain copy of the k-th network (that of ``seeds[k]``), detached from the ensemble.

        Raises:
            IndexError: when there is no k-th member.
        """
        if not -len(self) <= k < len(self):
            raise IndexError(f"member must lie in 0..{len(self) - 1}, got {k}")
        single: nn.Module = copy.deepcopy(self.template)
        for name, tensor in self.stacked().items():
            _replace(single, name, tensor[k].detach().clone())
        return single

    @torch.no_grad()
    def clip_grad_norm_(self, max_norm: float) -> Tensor:
        """Scale every member's own gradient to at most ``max_norm``, in place; as ``torch.nn.utils.clip_grad_norm_``.

        Returns:
            The norms before clipping, ``(S,)``.
        """
        gradients = [p.grad for p in self.parameters() if p.grad is not None]
        if not gradients:
            return torch.zeros(len(self), device=next((p.device for p in self.parameters()), None))
        norms = torch.stack([g.reshape(len(self), -1).square().sum(1) for g in gradients]).sum(0).sqrt()
        scale = (max_norm / (norms + 1e-6)).clamp(max=1)
        for g in gradients:
            g.mul_(scale.view(-1, *[1] * (g.ndim - 1)))
        return norms

    def extra_repr(self) -> str:
        return f"seeds={len(self)}"


_generator = threading.Lock()
"""Held while torch's generator, which all threads share, is that of one member."""


def _seeded(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    with _generator, torch.random.fork_rng():
        torch.manual_seed(seed)
        return build()


def _checked(seeds: Sequence[int]) -> tuple[int, ...]:
    if not isinstance(seeds, Iterable):
        raise TypeError(f"seeds must be a sequence of whole numbers such as range({seeds}), got {seeds!r}")
    result = tuple(seeds)
    if not result:
        raise ValueError("an Ensemble needs at least one seed, got none")
    try:
        return tuple(operator.index(seed) for seed in result)
    except TypeError:
        raise TypeError(f"seeds must be whole numbers, got {result}") from None


def _tensors(module: nn.Module) -> dict[str, Tensor]:
    return {**dict(module.named_parameters()), **dict(module.named_buffers())}


def _replace(module: nn.Module, name: str, value: Tensor) -> None:
    """Put ``value`` in the place of the parameter or buffer ``name``, whatever its shape."""
    path, _, leaf = name.rpartition(".")
    owner = module.get_submodule(path)
    old = getattr(owner, leaf)
    if isinstance(old, nn.Parameter):
        value = nn.Parameter(value, requires_grad=old.requires_grad)
    setattr(owner, leaf, value)
