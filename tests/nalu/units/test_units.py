"""Every unit by its name: exact arithmetic by hand-set weights, gradients, extremes, regularisers, restarts."""

import inspect
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import torch
from torch import nn
from torch.func import functional_call

from nalu import (
    INALU,
    MCFC,
    NMU,
    NPU,
    SNMU,
    ArithmeticCell,
    Ensemble,
    GatedNAUNMU,
    GumbelNAC,
    MulMCFC,
    RealNPU,
    Restart,
    SoftmaxNAC,
    after_step_,
    init,
    inspection,
    project_gradients_,
    regularizer,
)
from nalu.schedules import Ramp, Tenfold
from nalu.units.base import ArithmeticUnit
from nalu.units.catalogue import UNITS, BinaryOperation, two_layers
from tasks.recurrent_arithmetic.model import build as build_recurrent
from tasks.static_arithmetic.options import Config
from tasks.static_arithmetic.train import train

SHUT = 1e4
"""A gate's logit: open or shut whatever the inputs are."""
FUNCTIONS = {
    "add": lambda a, b: a + b,
    "sub": lambda a, b: a - b,
    "mul": lambda a, b: a * b,
    "div": lambda a, b: a / b,
}
SIGNED = ("nac", "nau", "nmu", "inalu", "npu", "realnpu", "nmru", "snmu", "softmax-nac", "gumbel-nac", "mcfc")
"""Units that know the sign of their inputs, whatever these are."""


@pytest.mark.parametrize("name", UNITS)
def test_what_is_known_of_a_unit(name: str) -> None:
    unit = UNITS[name]
    assert unit.title
    assert "20" in unit.source, "the year of the paper"
    assert unit.operations
    assert set(unit.operations) <= set(get_args(BinaryOperation))
    assert set(unit.penalty) <= set(unit.operations)
    assert bool(unit.penalty) == hasattr(unit.build, "regularizer") or name in ("gated-nau-nmu", "mul-mcfc")
    assert unit.first_layer is None or unit.first_layer in UNITS
    assert unit.has_init == ("init" in inspect.signature(unit.build).parameters)
    assert unit.build(2, 1).identity_element == (0 if "add" in unit.operations else 1)


def test_the_readme_has_a_row_for_every_unit() -> None:
    text = (Path(__file__).parents[3] / "nalu" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| `(\w+)` \|.*\| ([-+x/ ]+) \| ([^|0-9]+\d+) \|$", text, flags=re.MULTILINE)
    signs = {"add": "+", "sub": "-", "mul": "x", "div": "/"}
    assert rows == [
        (name, unit.build.__name__, " ".join(signs[op] for op in unit.operations), unit.source.split(",")[0])
        for name, unit in UNITS.items()
    ]


def test_two_layers_have_the_front_that_the_tables_name() -> None:
    for name, (front, unit) in {
        "nac": ("NAC", "NAC"), "nac-mul": ("NAC", "NACMul"), "nmu": ("NAU", "NMU"), "nalu": ("NALU", "NALU"),
        "realnpu": ("NAU", "RealNPU"), "mul-mcfc": ("MCFC", "MulMCFC"),
    }.items():  # fmt: skip
        first, second = (build(3, 2) for build in two_layers(name, "glorot_uniform"))
        assert (type(first).__name__, type(second).__name__) == (front, unit)
    torch.manual_seed(0)
    G = two_layers("nalu", "truncated_normal")[0](3, 2).G
    assert G.abs().max() <= 0.04, "the initialisation that is asked for"


@pytest.mark.parametrize("name", UNITS)
def test_every_unit_is_a_cell_of_the_arithmetic_tasks(name: str) -> None:
    config = Config(cell=name, input_size=10, seeds=2, steps=2, eval_every=2, eval_size=20, device="cpu")
    first, last = train(config)
    assert last.metrics["train/loss"].isfinite().all()
    assert first.metrics["weights/sparsity"].isfinite().all()
    network = build_recurrent(name, 10, 2, "glorot_uniform")
    assert network(torch.rand(4, 5, 10)).shape == (4, 1)
    assert type(network.output).__name__ == UNITS[name].build.__name__


@torch.no_grad()
def set_exact_(unit: nn.Module, op: str) -> None:
    """Give a unit of two inputs the weights that add, subtract, multiply or divide them."""
    sign = -1.0 if op in ("sub", "div") else 1.0
    W = torch.tensor([[1.0, sign]])
    logit = SHUT if op in ("add", "sub") else -SHUT
    match unit:
        case MulMCFC():
            unit.mcfc.gate_bias.fill_(SHUT)
        case MCFC():
            unit.gate_bias.fill_(SHUT)
        case GatedNAUNMU():
            unit.nau.W_hat.copy_(W)
            unit.nmu.W_hat.copy_(W.abs())
            unit.G.fill_(logit)
        case SoftmaxNAC() | GumbelNAC():
            init.saturate_sigmoid_(unit.W_plus, (W > 0).float())
            init.saturate_sigmoid_(unit.W_minus, (W < 0).float())
        case RealNPU() | NPU():
            unit.W_re.copy_(W)
            unit.g.fill_(1)
            unit.eps = 0.0
        case INALU():
            init.saturate_nac_(unit.W_hat, unit.M_hat, W)
            init.saturate_nac_(unit.W_hat_mul, unit.M_hat_mul, W)
            unit.gate_bias.fill_(logit)
        case _ if unit.W_hat.shape == (1, 4):  # NMRU: factors, then divisors
            unit.W_hat.copy_(torch.tensor([[1.0, 0.0, 0.0, 1.0]] if op == "div" else [[1.0, 1.0, 0.0, 0.0]]))
        case _ if hasattr(unit, "M_hat"):  # NAC, NAC-mul, NALU, G-NALU
            init.saturate_nac_(unit.W_hat, unit.M_hat, W, scale=0.4)
            if hasattr(unit, "G"):
                unit.G.fill_(logit)
        case _ if isinstance(unit, UNITS["nac-mul-sigma"].build):
            init.saturate_sigmoid_(unit.W_hat, W)
        case _:
            unit.W_hat.copy_(W)


@pytest.mark.parametrize(("name", "op"), [(name, op) for name, unit in UNITS.items() for op in unit.operations])
def test_exact_weights_compute_exactly(name: str, op: BinaryOperation) -> None:
    """In and out of training mode, for inputs of any sign where the unit keeps it."""
    unit = UNITS[name].build(2, 1)
    set_exact_(unit, op)
    x = torch.tensor([[6.0, 3.0], [2.0, 5.0], [0.5, 0.25], [1000.0, 0.125]])
    if name in SIGNED:
        x = torch.cat([x, -x, x * torch.tensor([1.0, -1.0])])
    expected = FUNCTIONS[op](x[:, :1], x[:, 1:])
    torch.testing.assert_close(unit.eval()(x), expected, rtol=1e-5, atol=1e-5)
    if not isinstance(unit, GumbelNAC):  # which draws other weights
        torch.testing.assert_close(unit.train()(x), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "name", [name for name, unit in UNITS.items() if unit.operations in (("mul",), ("mul", "div"))]
)
def test_a_product_over_a_series_starts_at_one(name: str) -> None:
    cell = ArithmeticCell(UNITS[name].build, 1, 1)
    set_exact_(cell.unit, "mul")
    h = cell.initial_state(torch.ones(1, 1))
    for factor in (2.0, 3.0, 0.5):
        h = cell(torch.tensor([[factor]]), h)
    torch.testing.assert_close(h, torch.tensor([[3.0]]), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", UNITS)
def test_gradients(name: str, training: bool) -> None:
    """Against finite differences, with respect to the inputs and every parameter."""
    torch.manual_seed(0)
    unit = UNITS[name].build(3, 2).double().train(training)
    names = [key for key, _ in unit.named_parameters()]
    values = [(p + 0.1 * torch.rand_like(p)).detach().requires_grad_() for p in unit.parameters()]
    x = torch.tensor([[0.7, -1.3, 2.1], [-0.4, 0.9, 1.6]], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, *values: functional_call(unit, dict(zip(names, values, strict=True)), (x,)), (x, *values)
    )


@pytest.mark.parametrize("name", UNITS)
@pytest.mark.parametrize("x", [0.0, 1e-30, -1e-30, -1.0, 1e10, -1e10])
def test_extreme_inputs_give_finite_outputs_and_gradients(name: str, x: float) -> None:
    torch.manual_seed(0)
    unit = UNITS[name].build(1, 3)
    inputs = torch.tensor([[x]], requires_grad=True)
    y = unit(inputs)
    y.sum().backward()
    assert y.isfinite().all()
    assert inputs.grad.isfinite().all()
    for key, parameter in unit.named_parameters():
        assert parameter.grad.isfinite().all(), key


@pytest.mark.parametrize("name", [name for name in UNITS if "npu" not in name])
def test_effective_weights_stay_between_minus_one_and_one(name: str) -> None:
    """Whatever the parameters are, and after clipping the parameters of clipped units too."""
    unit = UNITS[name].build(3, 2)
    with torch.no_grad():
        for parameter in unit.parameters():
            nn.init.uniform_(parameter, -9, 9)
    for W in inspection.effective_weights(unit).values():
        assert W.abs().max() <= 1
    before = inspection.effective_weights(unit)
    after_step_(unit)
    for key, W in inspection.effective_weights(unit).items():
        assert torch.equal(W, before[key])
    if hasattr(unit, "lower"):
        assert torch.equal(unit.W_hat, unit.W)


def test_the_relevance_of_an_npu_is_projected() -> None:
    unit = NPU(3, 1)
    with torch.no_grad():
        unit.g.copy_(torch.tensor([-0.5, 0.25, 7.0]))
    after_step_(unit)
    assert torch.equal(unit.g, torch.tensor([0.0, 0.25, 1.0]))


def test_regularizers_in_closed_form() -> None:
    inalu, npu, real, mcfc, nmu = INALU(2, 1), NPU(2, 1), RealNPU(2, 1), MCFC(2, 1), NMU(2, 1)
    with torch.no_grad():
        for unit in (inalu, npu, real, mcfc, nmu):
            for parameter in unit.parameters():
                parameter.fill_(0.5)
        inalu.W_hat.copy_(torch.tensor([[30.0, -15.0]]))
        npu.W_im.fill_(-2.0)
        mcfc.R.copy_(torch.tensor([[1.0, 3.0]]))
    assert inalu.regularizer().item() == pytest.approx(2.5 + 4 * 19.5)
    assert npu.regularizer().item() == pytest.approx(2 * 0.5 + 2 * 2.0 + 2 * 0.5)
    assert real.regularizer().item() == pytest.approx(2 * 0.5 + 2 * 0.5)
    assert mcfc.regularizer().item() == pytest.approx(-(5.0 + 0.25 + 0.25))
    assert regularizer(nn.Sequential(npu, nmu)).item() == pytest.approx(6.0 + 0.5)
    assert regularizer(nn.Linear(2, 1)) == 0


@pytest.mark.parametrize("name", [name for name, unit in UNITS.items() if unit.penalty])
def test_regularizers_of_ensembles_are_those_of_the_members(name: str) -> None:
    ensemble = Ensemble(lambda: UNITS[name].build(3, 2), range(4))
    with torch.no_grad():
        for parameter in ensemble.parameters():
            nn.init.uniform_(parameter, -1, 1)
    penalties = regularizer(ensemble)
    assert penalties.shape == (4,)
    torch.testing.assert_close(penalties, torch.stack([regularizer(ensemble.member(k)) for k in range(4)]))
    assert len(penalties.unique()) == 4, "members differ"


def test_schedules() -> None:
    ramp = Ramp(10.0, 0.4, 0.7)
    assert [ramp(t) for t in (0.0, 0.4, 0.55, 0.7, 1.0)] == pytest.approx([0, 0, 5, 10, 10])
    step = Ramp(0.05, 0.2, 0.2)
    assert [step(t) for t in (0.0, 0.19, 0.2, 1.0)] == [0, 0, 0.05, 0.05]
    # Published: times ten every 10 000 of 50 000 steps.
    growing = UNITS["realnpu"].penalty["mul"]
    assert [growing(step / 50_000) for step in (0, 9_999, 10_000, 20_000, 30_000, 49_999)] == pytest.approx(
        [1e-7, 1e-7, 1e-6, 1e-5, 1e-5, 1e-5]
    )
    assert Tenfold(1.0, 1e9, 0.2)(0.6) == 1000, "0.6 / 0.2 is 2.9999999999999996"


def after_a_step(seeds: list[int]) -> tuple[Ensemble, Restart]:
    """An ensemble after one step of Adam, and its restarts."""
    model = Ensemble(lambda: nn.Sequential(INALU(2, 2), SNMU(2, 1)), seeds)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    model(torch.full((len(seeds), 3, 2), 2.0)).sum().backward()
    optimizer.step()
    return model, Restart(model, optimizer, window=20, every=5)


def test_only_what_is_stuck_begins_anew() -> None:
    """Seeds: stuck, improving, good enough, NaN, worse."""
    t = torch.arange(20.0)
    losses = torch.stack([5 + t % 2, 100 - t, 0.5 + t % 2 / 10, torch.full_like(t, float("nan")), 5 + t], dim=1)
    model, restart = after_a_step([0, 1, 2, 3, 4])
    began = [restart(loss).tolist() for loss in losses]
    assert not any(map(any, began[:-1])), "not before the window is full"
    assert began[-1] == [True, False, False, False, True]
    untouched, _ = after_a_step([0, 1, 2, 3, 4])
    for (name, tensor), before in zip(model.stacked().items(), untouched.stacked().values(), strict=True):
        for k in (1, 2, 3):
            assert torch.equal(tensor[k], before[k]), name
        for k in (0, 4):
            assert torch.equal(tensor[k], before[k]) == (name == "1.noise.step"), name
    for parameter in model.parameters():
        moments = restart.optimizer.state[parameter]
        for name in ("exp_avg", "exp_avg_sq"):
            assert (moments[name][[0, 4]] == 0).all()
            assert (moments[name][[1, 2, 3]] != 0).any(), "the others keep theirs"


def test_a_restarted_seed_is_looked_at_again_after_a_window_of_its_own() -> None:
    _, restart = after_a_step([0, 1])
    began = [restart(torch.full((2,), 7.0)).any().item() for _ in range(60)]
    assert [step for step, anew in enumerate(began) if anew] == [19, 39, 59]
    assert restart.counts.tolist() == [3, 3]


def test_restarts_of_a_seed_do_not_depend_on_its_companions() -> None:
    (many, restart_many), (alone, restart_alone) = after_a_step([5, 6, 7]), after_a_step([7])
    for step in range(45):
        restart_many(torch.tensor([7.0, 9 - step / 5, 7.0]))
        restart_alone(torch.tensor([7.0]))
    assert restart_many.counts.tolist() == [2, 0, 2]
    for tensor, other in zip(many.stacked().values(), alone.stacked().values(), strict=True):
        torch.testing.assert_close(tensor[2], other[0])
    assert not torch.equal(many.stacked()["0.W_hat"][0], many.stacked()["0.W_hat"][2])


def test_restarts_go_on_from_their_state() -> None:
    """Saved in the middle of a block, as a checkpoint is."""
    loss = torch.full((2,), 7.0)
    (_, whole), (_, first), (_, second) = (after_a_step([0, 1]) for _ in range(3))
    began = [whole(loss).tolist() for _ in range(33)]
    for _ in range(13):
        first(loss)
    saved = io.BytesIO()
    torch.save(first.state_dict(), saved)
    saved.seek(0)
    second.load_state_dict(torch.load(saved, weights_only=True))
    assert [second(loss).tolist() for _ in range(20)] == began[13:]
    assert torch.equal(second.counts, whole.counts)


def test_restarting_leaves_the_random_state_alone() -> None:
    _, restart = after_a_step([0])
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    assert any(restart(torch.tensor([7.0])).item() for _ in range(20))
    assert torch.equal(torch.rand(3), expected)


def test_windows_that_cannot_be_halved() -> None:
    model = Ensemble(lambda: INALU(2, 1), range(2))
    with pytest.raises(ValueError, match="window must be a multiple of twice every, got 30 and 10"):
        Restart(model, torch.optim.Adam(model.parameters()), window=30)


@pytest.mark.parametrize(("weight", "gradient", "kept"), [
    (1.0, -2.0, 0.0), (1.0, 2.0, 2.0), (0.0, 2.0, 0.0), (0.0, -2.0, -2.0), (0.5, 2.0, 2.0), (0.5, -2.0, -2.0),
])  # fmt: skip
@pytest.mark.parametrize("ensemble", [False, True])
def test_projected_gradients_lead_into_the_range_only(
    weight: float, gradient: float, kept: float, ensemble: bool
) -> None:
    for build, name in ((lambda: NMU(3, 2), "W_hat"), (lambda: RealNPU(3, 2), "g")):
        model = Ensemble(build, range(2)) if ensemble else build()
        parameter = getattr(model.template if ensemble else model, name)
        nn.init.constant_(parameter, weight)
        parameter.grad = torch.full_like(parameter, gradient)
        project_gradients_(model)
        assert (parameter.grad == kept).all()


def test_classes_are_abstract_or_final() -> None:
    def below(cls: type) -> Iterator[type]:
        for child in cls.__subclasses__():
            yield child
            yield from below(child)

    units = [cls for cls in below(ArithmeticUnit) if cls.__module__.startswith("nalu.")]
    assert {unit.build for unit in UNITS.values()} == {cls for cls in units if getattr(cls, "__final__", False)}
    for cls in units:
        assert inspect.isabstract(cls) != getattr(cls, "__final__", False), cls
        assert not (getattr(cls, "__final__", False) and cls.__subclasses__()), cls
