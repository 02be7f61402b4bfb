"""Formulas of networks with hand-set weights."""

import pytest
import torch
from torch import Tensor, nn

from nalu import NAC, NALU, NAU, NMRU, NMU, Ensemble, GatedNAUNMU, NACMul, RealNPU, inspection
from nalu.formula import formula, formulas, network_weights
from nalu.formula.text import decimal, mixture, product_of_blends, product_of_powers, weighted_sum
from nalu.units.catalogue import UNITS, two_layers


def set_(unit: nn.Module, W: list[list[float]]) -> nn.Module:
    """Give a clipped unit its weights."""
    with torch.no_grad():
        unit.W_hat.copy_(torch.tensor(W))
    return unit


@pytest.mark.parametrize(
    ("value", "text"),
    [(1.0004, "1"), (-0.9996, "-1"), (1e-4, "0"), (0.25, "0.25"), (-1.2344, "-1.234"), (float("nan"), "nan"),
     (float("-inf"), "-inf"), (1234567.9, "1.235e+06"), (25.0, "25")],
)  # fmt: skip
def test_numbers_have_three_decimals_at_most(value: float, text: str) -> None:
    assert decimal(value) == text


def test_sums_fold_equal_weights_of_successive_inputs() -> None:
    names = [f"x{k}" for k in range(1, 10)]
    assert weighted_sum([0, 0, 1, 1, 1, 0, -1, 0, 0], names) == "sum(x3..x5) - x7"
    assert weighted_sum([-2, -2, -2, -2, 0, 0, 0.5, 0.5, 0], names) == "-2 sum(x1..x4) + 0.5 x7 + 0.5 x8"
    assert weighted_sum([0] * 9, names) == "0"
    assert weighted_sum([0] * 9, names, -1.5) == "-1.5"
    assert weighted_sum([1] + [0] * 8, names, 2) == "x1 + 2"


def test_products() -> None:
    assert product_of_powers([1, 1, -1, -0.5, 0], "abcde") == "a * b / (c * d^0.5)"
    assert product_of_powers([-1], "a") == "1 / a"
    assert product_of_powers([0], "a") == "1"
    assert product_of_blends([1, 0.5, 0], "abc") == "a * (0.5 b + 0.5)"
    assert mixture(1.0, "a", "m") == "a"
    assert mixture(0.0, "a", "m") == "m"


def test_additive_layers_are_multiplied_out() -> None:
    first, second = set_(NAU(4, 2), [[1, 0.5, 0, 0], [0, 0.5, 1, 0]]), set_(NAU(2, 1), [[1, -1]])
    assert formula(nn.Sequential(first, second)) == ["y = x1 - x3"]
    linear = nn.Linear(1, 2)
    with torch.no_grad():
        linear.weight.copy_(torch.tensor([[2.0], [3.0]]))
        linear.bias.copy_(torch.tensor([1.0, -1.0]))
    assert formula(nn.Sequential(nn.Sequential(first, second), nn.Identity(), linear)) == [
        "y1 = 2 x1 - 2 x3 + 1", "y2 = 3 x1 - 3 x3 - 1"
    ]  # fmt: skip


def test_a_product_of_sums() -> None:
    sums = set_(NAU(5, 2), [[1, 1, 0, 0, 0], [0, 0, 0, 0, 1]])
    assert formula(nn.Sequential(sums, set_(NMU(2, 1), [[1, 1]]))) == ["h1 = x1 + x2", "h2 = x5", "y = h1 * h2"]
    assert formula(nn.Sequential(sums, set_(NMRU(2, 1), [[1, 0, 0, 1]])))[-1] == "y = h1 * (1 / h2)"
    assert formula(set_(NMU(2, 2), [[1, 0], [0, 0.5]])) == ["y1 = x1", "y2 = (0.5 x2 + 0.5)"]


def test_units_with_logarithms_and_gates() -> None:
    power = NACMul(2, 1)
    nalu = NALU(2, 1, input_gate=False)
    gated = GatedNAUNMU(2, 1)
    npu = RealNPU(3, 1)
    with torch.no_grad():
        for unit in (power, nalu):
            unit.W_hat.copy_(torch.tensor([[30.0, -30.0]]))
            unit.M_hat.fill_(30)
        assert formula(power) == ["y = |x1| / |x2|"]
        for bias, text in ((30.0, "x1 - x2"), (-30.0, "|x1| / |x2|"), (0.0, "0.5 (x1 - x2) + 0.5 |x1| / |x2|")):
            nalu.gate_bias.fill_(bias)
            assert formula(nalu) == [f"y = {text}"]
        gated.nau.W_hat.copy_(torch.tensor([[1.0, 1.0]]))
        gated.nmu.W_hat.copy_(torch.tensor([[1.0, 0.0]]))
        gated.G.copy_(torch.tensor([[2.0, 0.0]]))
        assert formula(gated) == ["y = g (x1 + x2) + (1 - g) x1 with g = sigmoid(2 x1)"]
        npu.W_re.copy_(torch.tensor([[1.0, -1.0, 2.0]]))
        npu.g.copy_(torch.tensor([1.0, 1.0, 0.0]))
        assert formula(npu) == ["y = x1 / x2"]


@pytest.mark.parametrize("name", UNITS)
def test_every_unit_has_a_formula(name: str) -> None:
    torch.manual_seed(0)
    first, second = (build(3, 3) for build in two_layers(name, "glorot_uniform"))
    lines = formula(inspection.snapped(nn.Sequential(first, second)))
    assert [line.partition(" = ")[0] for line in lines][-3:] == ["y1", "y2", "y3"]
    assert type(second).__name__ not in "".join(lines), "its own formula, not its name"


def test_layers_that_give_their_own_formula_and_layers_without_one() -> None:
    class Twice(nn.Module):
        in_features = 2

        def forward(self, x: Tensor) -> Tensor:
            return 2 * x

        def formula(self, names: list[str]) -> list[str]:
            return [f"twice({name})" for name in names]

    class Opaque(nn.Module):
        def __init__(self, in_features: int, out_features: int) -> None:
            super().__init__()
            self.in_features, self.out_features = in_features, out_features

    assert formula(Twice()) == ["y1 = twice(x1)", "y2 = twice(x2)"]
    assert formula(Opaque(2, 1)) == ["y = Opaque(x1, x2)"]
    assert formula(Opaque(9, 2)) == ["y1 = Opaque(x1..x9)[1]", "y2 = Opaque(x1..x9)[2]"]
    assert formula(nn.Sequential(set_(NAU(1, 1), [[1]]), nn.ReLU())) == ["h1 = x1", "y = ReLU(h1)"]


def test_a_network_whose_layers_are_not_in_a_row_has_a_formula_for_each() -> None:
    network = nn.ModuleDict({"a": set_(NAU(2, 1), [[1, 1]]), "b": nn.Tanh(), "c": set_(NMU(2, 1), [[1, 1]])})
    assert formulas(network) == ["a: y = x1 + x2", "c: y = x1 * x2"]
    with pytest.raises(ValueError, match="the number of inputs is unknown"):
        formula(network)


def test_the_weights_of_an_additive_network_are_the_product_of_its_layers() -> None:
    networks = Ensemble(lambda: nn.Sequential(NAC(5, 2), nn.Identity(), NAC(2, 3)), seeds=range(4))
    whole = network_weights(networks.template)
    assert whole.shape == (4, 3, 5)
    x = torch.rand(4, 7, 5)
    torch.testing.assert_close(x @ whole.mT, networks(x))
    assert network_weights(nn.Sequential(NAC(5, 2), NMU(2, 1))) is None
