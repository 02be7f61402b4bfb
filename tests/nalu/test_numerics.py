"""Numbers: every unit against NumPy, float32 against float64, second derivatives, extremes, threads."""

import itertools
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value, jacrev, vmap

from nalu import after_step_
from nalu.units.base import ClippedUnit
from nalu.units.catalogue import UNITS
from tests.nalu import reference_units
from tests.nalu.reference_units import REFERENCES

SOFTMAX = ("softmax-nac", "gumbel-nac", "mcfc", "mul-mcfc")
"""Units with a softmax, which torch evaluates in vectors and remainders that depend on the number of threads."""
ROUNDINGS = 10
"""How many roundings of every input and parameter a float32 result may be off."""


def unit_of_any_weights(name: str, scale: float, seed: int, sizes: tuple[int, int] = (4, 3)) -> nn.Module:
    """In training mode, with parameters from N(0, scale^2): clipped ones lie inside and outside of their range."""
    torch.manual_seed(seed)
    unit = UNITS[name].build(*sizes)
    with torch.no_grad():
        for parameter in unit.parameters():
            nn.init.normal_(parameter, std=scale)
    return unit


def parameters_of(unit: nn.Module) -> dict[str, Tensor]:
    return {key: parameter.detach() for key, parameter in unit.named_parameters()}


def test_every_unit_has_a_reference() -> None:
    assert REFERENCES.keys() == UNITS.keys()


def inputs_of_any_sign() -> Tensor:
    """Absolute values from 0.1 to 10, and some zeros."""
    x = 10 ** (2 * torch.rand(40, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) - 1)
    x[1::2] *= torch.tensor([1.0, -1.0, -1.0, 1.0])
    x[:8:3, 1] = 0
    x[4] = 0
    return x


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", UNITS)
def test_units_are_the_equations_of_their_papers(name: str, seed: int) -> None:
    unit, x = unit_of_any_weights(name, 1.5, seed).double().eval(), inputs_of_any_sign()
    parameters = {key.replace(".", "_"): value.numpy() for key, value in parameters_of(unit).items()}
    expected = np.stack([REFERENCES[name](row, **parameters) for row in x.numpy()])
    np.testing.assert_allclose(unit(x).detach(), expected, rtol=1e-11, atol=1e-11)


def test_stochastic_units_are_the_equations_of_their_papers_in_training() -> None:
    """With the noise of their key and step, from the hash written a second time."""
    x = inputs_of_any_sign()
    for name in ("snmu", "gumbel-nac"):
        unit = unit_of_any_weights(name, 1.5, seed=0).double()
        unit.noise.step.fill_(50_000)
        parameters = {key: value.numpy() for key, value in parameters_of(unit).items()}
        key, step = unit.noise.key.item(), unit.noise.step.item()
        if name == "snmu":
            noise = 1 + 4 * reference_units.uniform(key, step, x.numel()).reshape(x.shape)
            pairs = zip(x.numpy(), noise, strict=True)
            expected = [reference_units.snmu(row, noise=row_noise, **parameters) for row, row_noise in pairs]
        else:
            uniform = reference_units.uniform(key, step, 3 * 3 * 4).reshape(3, 3, 4)
            expected = [reference_units.gumbel_nac(row, uniform=uniform, step=step, **parameters) for row in x.numpy()]
        np.testing.assert_allclose(unit(x).detach(), np.stack(expected), rtol=1e-11, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("scale", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("name", UNITS)
def test_float32_is_as_exact_as_its_inputs_are(name: str, scale: float) -> None:
    """The error is at most what a few roundings of inputs, parameters and the result would do.

    Which is eps (|y| + sum |x dy/dx| + sum |p dy/dp|) for one rounding of each: a relative error where nothing cancels.
    """
    for seed in range(4):
        unit = unit_of_any_weights(name, scale, seed)
        generator = torch.Generator().manual_seed(seed)
        x = 10 ** (4 * torch.rand(200, 4, generator=generator) - 2)
        x *= 2 * torch.randint(2, x.shape, generator=generator) - 1

        def forward(parameters: dict[str, Tensor], x: Tensor, unit: nn.Module = unit) -> Tensor:
            return functional_call(unit, parameters, (x,))

        single = parameters_of(unit)
        double = {key: value.double() for key, value in single.items()}
        found = vmap(forward, in_dims=(None, 0))(single, x)
        exact = vmap(forward, in_dims=(None, 0))(double, x.double())
        by_parameter, by_input = vmap(jacrev(forward, argnums=(0, 1)), in_dims=(None, 0))(double, x.double())
        one_rounding = exact.abs() + (by_input * x.double().unsqueeze(1)).abs().sum(dim=-1)
        for key, jacobian in by_parameter.items():
            one_rounding += (jacobian * double[key]).abs().flatten(2).sum(dim=-1)
        assert ((found - exact).abs() <= ROUNDINGS * torch.finfo(torch.float32).eps * one_rounding).all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", UNITS)
def test_second_derivatives(name: str, training: bool) -> None:
    """Against finite differences, away from the kinks of clips and absolute values."""
    unit = UNITS[name].build(2, 2).double().train(training)
    generator = torch.Generator().manual_seed(0)

    def between(low: float, high: float, shape: torch.Size) -> Tensor:
        magnitudes = low + (high - low) * torch.rand(shape, generator=generator, dtype=torch.float64)
        return (magnitudes * (2 * torch.randint(2, shape, generator=generator) - 1)).requires_grad_()

    values = [between(0.2, 0.8, parameter.shape) for parameter in unit.parameters()]
    x = between(0.5, 1.5, torch.Size([2, 2]))
    keys = [key for key, _ in unit.named_parameters()]
    assert torch.autograd.gradgradcheck(
        lambda x, *values: functional_call(unit, dict(zip(keys, values, strict=True)), (x,)), (x, *values)
    )


EXTREMES = (0.0, 1e-30, -1e-30, 1.0, -1e4, 1e30, -1e30)
PAIRS = [pair for pair in itertools.product(EXTREMES, repeat=2) if min(map(abs, pair)) < 1e30]
"""The product of two of the largest has no float32."""


@pytest.mark.parametrize("name", UNITS)
def test_finite_over_extreme_pairs_wherever_the_exact_result_is_in_range(name: str) -> None:
    """Outputs, and gradients with respect to inputs and parameters, at the first weights and at many others."""
    checked = 0
    for seed in range(8):
        unit = unit_of_any_weights(name, 2.0, seed, sizes=(2, 1))
        if seed == 0:
            unit.reset_parameters()

        def output(parameters: dict[str, Tensor], x: Tensor, unit: nn.Module = unit) -> Tensor:
            return functional_call(unit, parameters, (x,)).squeeze()

        def results(dtype: torch.dtype, unit: nn.Module = unit, output=output) -> dict[str, Tensor]:
            parameters = {key: value.to(dtype) for key, value in parameters_of(unit).items()}
            x = torch.tensor(PAIRS, dtype=dtype)
            (by_parameter, by_input), y = vmap(grad_and_value(output, argnums=(0, 1)), in_dims=(None, 0))(parameters, x)
            return {"y": y, "x": by_input, **by_parameter}

        exact = results(torch.float64)
        in_range = exact["y"].abs() < 1e30  # with room for the slopes of logarithms, up to 1e7
        checked += in_range.sum()
        for key, value in results(torch.float32).items():
            held = exact[key].abs() < torch.finfo(torch.float32).max
            assert value[in_range][held[in_range]].isfinite().all(), key
    assert checked > 4 * len(PAIRS)


@pytest.mark.parametrize("name", [name for name, unit in UNITS.items() if issubclass(unit.build, ClippedUnit)])
@pytest.mark.parametrize("start", [-9.0, 9.0])
def test_clipped_weights_get_a_gradient_at_their_bounds(name: str, start: float) -> None:
    """So that they can go back: a clip that hid the gradient there would hold them for ever."""
    unit = UNITS[name].build(2, 1)
    nn.init.constant_(unit.W_hat, start)
    after_step_(unit)
    assert unit.W_hat.unique().tolist() == [unit.lower if start < 0 else 1.0]
    unit.eval()(torch.tensor([[2.0, 3.0]])).sum().backward()  # without noise
    assert (unit.W_hat.grad != 0).all()


TRAINING = """
import sys
import torch
from torch import nn
from nalu import Ensemble, after_step_
from nalu.units import UNITS, two_layers

torch.set_num_threads(int(sys.argv[1]))
found = {}
for name in UNITS:
    front, unit = two_layers(name, "glorot_uniform")
    model = Ensemble(lambda: nn.Sequential(front(10, 2), unit(2, 1)), range(3))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    generator = torch.Generator().manual_seed(0)
    for _ in range(50):
        x = 1 + torch.rand(3, 16, 10, generator=generator)
        loss = (model(x) - x.sum(dim=-1, keepdim=True)).square().mean(dim=(1, 2))
        optimizer.zero_grad()
        loss.sum().backward()
        model.clip_grad_norm_(1.0)
        optimizer.step()
        after_step_(model)
    found |= {f"{name} {key}": parameter.detach() for key, parameter in model.named_parameters()}
torch.save(found, sys.argv[2])
"""


def trained(threads: int, path: Path) -> dict[str, Tensor]:
    """The parameters of an ensemble of each unit after 50 steps, in a process of its own."""
    environment = {**os.environ, "MKL_DYNAMIC": "FALSE"}  # so that it takes the threads, however few cores there are
    subprocess.run([sys.executable, "-c", TRAINING, str(threads), str(path)], check=True, env=environment)
    return torch.load(path, weights_only=True)


def test_training_again_gives_the_same_bits_and_on_more_threads_the_same_numbers(tmp_path: Path) -> None:
    first, again, on_two = (trained(threads, tmp_path / f"{k}.pt") for k, threads in enumerate((1, 1, 2)))
    for key, value in first.items():
        assert value.isfinite().all(), key
        assert torch.equal(again[key], value), key
        if key.split()[0] in SOFTMAX:
            torch.testing.assert_close(on_two[key], value, rtol=1e-3, atol=1e-4, msg=key)
        else:
            assert torch.equal(on_two[key], value), key
