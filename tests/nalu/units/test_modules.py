"""Units are torch.nn modules: whatever works with nn.Linear works with them."""

import copy
import io
import pickle
import shutil
from pathlib import Path

import onnxruntime
import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, vmap

from nalu import NALU, NAU, NMU, after_step_, sparsity_penalty
from nalu.units import UNITS as CATALOGUE
from tests.helpers import UNITS


@pytest.fixture(params=UNITS)
def unit(request: pytest.FixtureRequest) -> nn.Module:
    torch.manual_seed(0)
    return UNITS[request.param](4, 3).eval()  # without noise; see test_noise


@pytest.fixture
def x() -> torch.Tensor:
    return torch.rand(8, 4, generator=torch.Generator().manual_seed(1)) + 0.5


@pytest.mark.parametrize("shape", [(4,), (8, 4), (2, 8, 4), (2, 3, 8, 4)])
def test_inputs_may_have_any_leading_dimensions(unit: nn.Module, shape: tuple[int, ...]) -> None:
    x = torch.rand(shape) + 0.5
    y = unit(x)
    assert y.shape == (*shape[:-1], 3)
    torch.testing.assert_close(y.reshape(-1, 3), torch.stack([unit(row) for row in x.reshape(-1, 4)]))


def test_state_dict_round_trip(unit: nn.Module, x: torch.Tensor) -> None:
    other = copy.deepcopy(unit)
    other.reset_parameters()
    buffer = io.BytesIO()
    torch.save(unit.state_dict(), buffer)
    buffer.seek(0)
    other.load_state_dict(torch.load(buffer, weights_only=True))
    assert torch.equal(other(x), unit(x))


def test_deepcopy_and_pickle(unit: nn.Module, x: torch.Tensor) -> None:
    for other in (copy.deepcopy(unit), pickle.loads(pickle.dumps(unit))):
        assert torch.equal(other(x), unit(x))


def test_weights_are_computed_in_every_forward_pass(unit: nn.Module, x: torch.Tensor) -> None:
    before = unit(x)
    with torch.no_grad():
        for parameter in unit.parameters():
            parameter.mul_(0.5).add_(torch.rand_like(parameter))
    assert not torch.allclose(unit(x), before)


def test_every_parameter_learns(unit: nn.Module, x: torch.Tensor) -> None:
    signs = torch.tensor([1.0, -1.0, 1.0, 1.0])  # imaginary exponents act on negative inputs only
    unit(x * signs).sum().backward()
    for name, parameter in unit.named_parameters():
        learns = parameter.grad.isfinite() & (parameter.grad != 0)
        if name == "W_im":
            learns = learns[:, signs < 0]
        assert learns.all(), name


def test_float64(unit: nn.Module, x: torch.Tensor) -> None:
    y = unit(x)
    y64 = unit.double()(x.double())
    assert y64.dtype == torch.float64
    torch.testing.assert_close(y64.float(), y, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", UNITS)
def test_device_and_dtype(name: str) -> None:
    unit = UNITS[name](4, 3, device="meta", dtype=torch.float64)
    assert {(p.device.type, p.dtype) for p in unit.parameters()} == {("meta", torch.float64)}


def test_func_transforms_agree_with_autograd(unit: nn.Module, x: torch.Tensor) -> None:
    parameters = dict(unit.named_parameters())

    def loss(parameters: dict[str, torch.Tensor], row: torch.Tensor) -> torch.Tensor:
        return functional_call(unit, parameters, (row,)).square().sum()

    per_example = vmap(grad(loss), in_dims=(None, 0))({k: p.detach() for k, p in parameters.items()}, x)
    unit(x).square().sum().backward()
    for name, parameter in parameters.items():
        torch.testing.assert_close(per_example[name].sum(0), parameter.grad, rtol=1e-4, atol=1e-5)


def test_autocast(unit: nn.Module, x: torch.Tensor) -> None:
    expected = unit(x)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        y = unit(x)
    torch.testing.assert_close(y.float(), expected, rtol=0.1, atol=0.1)


def test_compile(unit: nn.Module, x: torch.Tensor) -> None:
    compiled = torch.compile(unit, backend="aot_eager", fullgraph=True)
    parameters = list(unit.parameters())
    y, expected = compiled(x), unit(x)
    torch.testing.assert_close(y, expected)
    gradients, expected_gradients = (torch.autograd.grad(of.sum(), parameters) for of in (y, expected))
    torch.testing.assert_close(gradients, expected_gradients)


class SideBySide(nn.Module):
    """Applies many units to one input."""

    def __init__(self, units: list[nn.Module]) -> None:
        super().__init__()
        self.units = nn.ModuleList(units)

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tuple(unit(x) for unit in self.units)


@pytest.mark.skipif(shutil.which("g++") is None, reason="the default backend of torch.compile needs a C++ compiler")
def test_compile_with_the_default_backend() -> None:
    """In training mode. Noise needs no care: it is a function of buffers, not of a generator."""
    torch.manual_seed(0)
    model = SideBySide([unit.build(2, 1) for unit in CATALOGUE.values()])
    x = torch.randn(8, 2)
    scalar_code = {"cpp.threads": 1, "cpp.vec_isa_ok": False}  # compiles in half the time
    outputs, expected = torch.compile(model, fullgraph=True, options=scalar_code)(x), model(x)
    for name, y, expected_y in zip(CATALOGUE, outputs, expected, strict=True):
        torch.testing.assert_close(y, expected_y, msg=name)
    names, parameters = zip(*model.named_parameters(), strict=True)
    pairs = (torch.autograd.grad(torch.cat(of).sum(), parameters) for of in (outputs, expected))
    for name, gradient, expected_gradient in zip(names, *pairs, strict=True):
        torch.testing.assert_close(gradient, expected_gradient, rtol=1e-4, atol=1e-5, msg=name)


def test_export_with_a_batch_of_any_size(x: torch.Tensor) -> None:
    torch.manual_seed(0)
    model = SideBySide([make(4, 3) for make in UNITS.values()]).eval()
    program = torch.export.export(model, (x,), dynamic_shapes=({0: torch.export.Dim("batch")},)).module()
    for rows in (5, 64):
        x = torch.randn(rows, 4)
        for name, y, expected in zip(UNITS, program(x), model(x), strict=True):
            torch.testing.assert_close(y, expected, msg=name)


@pytest.mark.filterwarnings("ignore")  # the exporter's own deprecations
def test_onnx_export(x: torch.Tensor, tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = SideBySide([make(4, 3) for make in UNITS.values()]).eval()
    path = tmp_path / "units.onnx"
    torch.onnx.export(model, (x,), str(path), dynamo=True, verbose=False)
    session = onnxruntime.InferenceSession(str(path))
    outputs = session.run(None, {session.get_inputs()[0].name: x.numpy()})
    for name, y, expected in zip(UNITS, outputs, model(x), strict=True):
        torch.testing.assert_close(torch.from_numpy(y), expected.detach(), rtol=1e-4, atol=1e-5, msg=name)


def test_a_forward_pass_leaves_nothing_behind(unit: nn.Module, x: torch.Tensor) -> None:
    """It stores no activations and counts no calls, in training mode too."""
    unit.train()
    before = {name: value.clone() for name, value in unit.state_dict().items()}
    attributes = [set(vars(module)) for module in unit.modules()]
    first = unit(x)
    assert torch.equal(unit(x), first)
    assert [set(vars(module)) for module in unit.modules()] == attributes
    assert all(torch.equal(value, before[name]) for name, value in unit.state_dict().items())


def test_reset_parameters_replaces_every_parameter(unit: nn.Module) -> None:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in unit.parameters():
            parameter.fill_(123.0)
    unit.reset_parameters()
    assert not any((parameter == 123).any() for parameter in unit.parameters())


def test_repr_names_the_sizes(unit: nn.Module) -> None:
    assert "in_features=4, out_features=3" in repr(unit)


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("sizes", [(0, 1), (1, 0), (-2, 3)])
def test_sizes_below_one_are_refused(name: str, sizes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="features must be at least 1, got"):
        UNITS[name](*sizes)


def test_nalu_ties_its_weights_unless_asked() -> None:
    assert {name for name, _ in NALU(4, 3).named_parameters()} == {"W_hat", "M_hat", "G"}
    separate = {name for name, _ in NALU(4, 3, separate_weights=True).named_parameters()}
    assert separate == {"W_hat", "M_hat", "W_hat_mul", "M_hat_mul", "G"}
    constant = {name for name, _ in NALU(4, 3, input_gate=False).named_parameters()}
    assert constant == {"W_hat", "M_hat", "gate_bias"}


def test_a_large_gate_bias_selects_the_sum(x: torch.Tensor) -> None:
    unit = NALU(4, 3, gate_bias=10.0)
    nn.init.zeros_(unit.G)
    torch.testing.assert_close(unit(x), x @ unit.W.T, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize(("kind", "low"), [(NAU, -1.0), (NMU, 0.0)])
def test_clipping_and_penalty(kind: type[NAU] | type[NMU], low: float) -> None:
    model = nn.Sequential(kind(2, 2), nn.ReLU(), kind(2, 1))
    with torch.no_grad():
        model[0].W_hat.copy_(torch.tensor([[-3.0, 0.25], [0.5, 3.0]]))
        model[2].W_hat.copy_(torch.tensor([[0.75, 1.0]]))
    after_step_(model)
    assert torch.equal(model[0].W_hat, torch.tensor([[low, 0.25], [0.5, 1.0]]))
    torch.testing.assert_close(sparsity_penalty(model), torch.tensor(0.75 / 4 + 0.25 / 2))


def test_penalty_of_a_model_without_clipped_units_is_zero() -> None:
    assert sparsity_penalty(nn.Linear(2, 1)) == 0
