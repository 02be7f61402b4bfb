"""Check a unit: what ensembles, tasks and exporters rely on.

>>> from nalu import NAC
>>> from nalu.testing import check_unit
>>> report = check_unit(NAC)
>>> report.lacks
('clip_', 'regularizer', 'renew_noise_')
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from nalu import inspection
from nalu.regularization import after_step_
from nalu.training.ensemble import Ensemble

OPTIONAL = ("clip_", "effective_weights", "identity_element", "regularizer", "renew_noise_", "snap_")
"""What a unit may have besides ``forward``; see docs/add-a-unit.md."""
Build = Callable[[int, int], nn.Module]


@dataclass(frozen=True)
class Report:
    """What was found of a unit that passed."""

    checked: tuple[str, ...]
    """What was checked."""
    lacks: tuple[str, ...]
    """The optional parts that the unit does not have."""


def check_unit(build: Build, *, in_features: int = 3, out_features: int = 2, export: bool = True) -> Report:
    """Check a unit, which maps ``(..., in_features)`` to ``(..., out_features)``.

    Args:
        build: the class, or a function, that makes one from its numbers of inputs and outputs.
        export: whether to export it with ``torch.export``, which takes a second.

    Raises:
        AssertionError: with one sentence on what was wanted and what was found.
    """
    unit = _seeded(build, in_features, out_features)
    x = 1 + torch.rand(4, in_features, generator=torch.Generator().manual_seed(1))
    checks: list[Callable[[], None]] = [
        lambda: _check_shapes(unit, x, out_features),
        lambda: _check_types(build, x, out_features),
        lambda: _check_seeds_and_state(build, unit, x, out_features),
        lambda: _check_gradients(unit, x),
        lambda: _check_rows(unit, x),
        lambda: _check_ensemble(build, x, out_features),
        lambda: _check_optional(unit, build, x, out_features),
    ]
    names = ["shapes", "dtypes", "seeds and state_dict", "gradients", "rows", "ensembles", "optional parts"]
    if export:
        checks.append(lambda: _check_export(unit, x))
        names.append("torch.export")
    for check in checks:
        check()
    return Report(tuple(names), tuple(name for name in OPTIONAL if not hasattr(unit, name)))


def _seeded(build: Build, in_features: int, out_features: int, seed: int = 0) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return build(in_features, out_features)


def _check_shapes(unit: nn.Module, x: Tensor, out_features: int) -> None:
    for leading in ((), (1,), (5,), (2, 3)):
        inputs = x[0].expand(*leading, -1)
        found, wanted = tuple(unit(inputs).shape), (*leading, out_features)
        assert found == wanted, f"inputs {tuple(inputs.shape)} must give outputs {wanted}, got {found}"


def _check_types(build: Build, x: Tensor, out_features: int) -> None:
    for dtype in (torch.float32, torch.float64):
        found = _seeded(build, x.shape[-1], out_features).to(dtype)(x.to(dtype)).dtype
        assert found == dtype, f"a unit and inputs of {dtype} must give outputs of that dtype, got {found}"


def _check_seeds_and_state(build: Build, unit: nn.Module, x: Tensor, out_features: int) -> None:
    unit.eval()
    again, other = (_seeded(build, x.shape[-1], out_features, seed).eval() for seed in (0, 1))
    assert _same(again(x), unit(x)), "the seed of torch's generator must determine the parameters"
    if any(parameter.requires_grad for parameter in unit.parameters()):
        other.load_state_dict(unit.state_dict())
    assert _same(other(x), unit(x)), "the state_dict must hold all that the outputs depend on"
    assert _same(copy.deepcopy(unit)(x), unit(x)), "a copy must compute the same"
    assert _same(unit(x), unit(x)), "the same inputs must give the same outputs in evaluation mode"
    unit.train()
    assert _same(unit(x), unit(x)), "noise must stay the same until nalu.after_step_ (see nalu.units.noise)"


def _check_gradients(unit: nn.Module, x: Tensor) -> None:
    double = copy.deepcopy(unit).double().eval()
    inputs = x.double().requires_grad_()
    right = torch.autograd.gradcheck(double, (inputs,), raise_exception=False)
    assert right, "the gradient with respect to the inputs must be that of finite differences, in float64"
    unit.zero_grad()
    unit(x).sum().backward()
    for name, parameter in unit.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, f"the parameter {name} must have a gradient"
            assert parameter.grad.isfinite().all(), f"the gradient of {name} must be finite for inputs from 1 to 2"


def _check_rows(unit: nn.Module, x: Tensor) -> None:
    unit.eval()
    changed = x.clone()
    changed[1] = torch.nan
    others = [0, 2, 3]
    assert _same(unit(changed)[others], unit(x)[others]), "a row of a batch must not depend on the other rows"
    unit.train()


def _check_ensemble(build: Build, x: Tensor, out_features: int) -> None:
    seeds = range(3)
    ensemble = Ensemble(lambda: build(x.shape[-1], out_features), seeds)
    inputs = torch.stack([x + k for k in seeds])
    together = ensemble(inputs)
    together.sum().backward()
    for k in seeds:
        alone = _seeded(build, x.shape[-1], out_features, k)
        outputs = alone(inputs[k])
        outputs.sum().backward()
        close = torch.allclose(together[k], outputs, rtol=1e-4, atol=1e-6)
        assert close, f"member {k} of an Ensemble must compute what the unit of seed {k} computes alone"
        gradients = dict(ensemble.template.named_parameters())
        for name, parameter in alone.named_parameters():
            stacked = gradients[name].grad
            if parameter.grad is not None and stacked is not None:
                close = torch.allclose(stacked[k], parameter.grad, rtol=1e-3, atol=1e-5)
                assert close, f"member {k} of an Ensemble must have the gradient of {name} that seed {k} has alone"


def _check_optional(unit: nn.Module, build: Build, x: Tensor, out_features: int) -> None:
    assert hasattr(unit, "effective_weights") == hasattr(unit, "snap_"), (
        "effective_weights() and snap_() must be given both or neither"
    )
    if isinstance(unit, inspection.Weighted):
        for name, W in inspection.effective_weights(inspection.snapped(unit)).items():
            distance = (W - W.round().clamp(-1, 1)).abs().max().item()
            assert distance < 1e-3, (
                f"after snap_() the weights {name or 'W'} must be -1, 0 or 1; one is {distance:.3g} off"
            )
    if hasattr(unit, "regularizer"):
        for model, shape in ((unit, ()), (Ensemble(lambda: build(x.shape[-1], out_features), range(3)).template, (3,))):
            found = tuple(model.regularizer().shape)  # type: ignore[operator]
            assert found == shape, f"regularizer() must have shape {shape}, got {found}; (S,) for stacked parameters"
    stepped = copy.deepcopy(unit)
    after_step_(stepped)
    twice = copy.deepcopy(stepped)
    if hasattr(twice, "clip_"):
        twice.clip_()  # type: ignore[operator]
        unchanged = all(_same(a, b) for a, b in zip(twice.parameters(), stepped.parameters(), strict=True))
        assert unchanged, "clip_() must leave weights alone that it has clipped already"
    if hasattr(unit, "renew_noise_"):
        assert not _same(stepped(x), unit(x)), "renew_noise_() must change the outputs in training mode"


def _check_export(unit: nn.Module, x: Tensor) -> None:
    unit.eval()
    try:
        program = torch.export.export(unit, (x,), dynamic_shapes=({0: torch.export.Dim("batch", min=2)},)).module()
    except Exception as error:  # torch names no type for what it cannot export
        raise AssertionError(f"torch.export must take it: {str(error).strip().splitlines()[0]}") from error
    inputs = torch.cat([x, x])
    assert torch.allclose(program(inputs), unit(inputs), rtol=1e-4, atol=1e-6), "exported, it must compute the same"


def _same(one: Tensor, other: Tensor) -> bool:
    return torch.equal(one.nan_to_num(), other.nan_to_num())
