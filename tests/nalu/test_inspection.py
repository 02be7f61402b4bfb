"""Inspection of single and stacked networks whose weights are known."""

import pytest
import torch
from torch import nn

from nalu import (
    GNALU,
    INALU,
    NAC,
    NALU,
    NAU,
    NMU,
    NPU,
    Ensemble,
    GatedNAUNMU,
    MulMCFC,
    NACMul,
    inspection,
)
from tests.helpers import UNITS


def test_effective_weights_by_module_name() -> None:
    model = nn.Sequential(NAC(3, 2), nn.ReLU(), NALU(2, 1, separate_weights=True), nn.Linear(1, 4))
    weights = inspection.effective_weights(model)
    assert list(weights) == ["0", "2", "2.mul", "3"]
    assert torch.equal(weights["0"], model[0].W)
    assert torch.equal(weights["2.mul"], model[2].W_mul)
    assert torch.equal(weights["3"], model[3].weight)


def test_ensembles_have_a_seed_axis_and_the_values_of_their_members() -> None:
    ensemble = Ensemble(lambda: nn.Sequential(NALU(4, 3), NMU(3, 1)), range(5))
    x = torch.rand(7, 4)
    for k in range(5):
        member = ensemble.member(k)
        for name, W in inspection.effective_weights(member).items():
            assert torch.equal(inspection.effective_weights(ensemble)[name][k], W)
        assert inspection.sparsity_error(ensemble)[k] == inspection.sparsity_error(member)
        gates, expected = inspection.gate_openness(ensemble, x), inspection.gate_openness(member, x)
        torch.testing.assert_close(gates["0"][k], expected["0"])


def test_sparsity_error_is_the_largest_over_all_layers() -> None:
    model = nn.Sequential(NAU(2, 2), NMU(2, 1))
    with torch.no_grad():
        model[0].W_hat.copy_(torch.tensor([[1.0, -0.9], [0.05, 0.0]]))
        model[1].W_hat.copy_(torch.tensor([[0.8, 1.0]]))
    assert inspection.sparsity_error(model).item() == pytest.approx(0.2)
    with torch.no_grad():
        model[1].W_hat[0, 0] = float("nan")
    assert inspection.sparsity_error(model).isnan()
    assert inspection.sparsity_error(nn.ReLU()).isnan()


def test_gate_openness_is_the_mean_gate() -> None:
    unit = NALU(2, 2)
    with torch.no_grad():
        unit.G.copy_(torch.tensor([[1.0, 0.0], [0.0, -3.0]]))
    x = torch.tensor([[0.5, 1.0], [2.0, -1.0]])
    expected = torch.sigmoid(torch.tensor([[0.5, -3.0], [2.0, 3.0]])).mean(0)
    torch.testing.assert_close(inspection.gate_openness(unit, x)[""], expected)
    constant = NALU(2, 1, input_gate=False, gate_bias=2.0)
    torch.testing.assert_close(inspection.gate_openness(constant, x)[""], torch.sigmoid(torch.tensor([2.0])))
    assert inspection.gate_openness(NAC(2, 1), x) == {}


@pytest.mark.parametrize("name", UNITS)
def test_discretized_weights_are_exact(name: str) -> None:
    torch.manual_seed(0)
    model = Ensemble(lambda: UNITS[name](5, 4), range(3))
    with torch.no_grad():
        for parameter in model.parameters():
            nn.init.uniform_(parameter, -3, 3)
    before = {key: W.clone() for key, W in inspection.effective_weights(model).items()}
    snapped = inspection.snapped(model)
    for key, W in inspection.effective_weights(snapped).items():
        assert not W.requires_grad
        if name in ("MCFC", "MulMCFC") and not key.endswith("gate"):  # each input goes where most of it went
            expected = torch.zeros_like(W).scatter_(-2, before[key].argmax(dim=-2, keepdim=True), 1)
        else:
            expected = before[key].clamp(-1, 1).round()
        assert torch.equal(W, expected)
        assert torch.equal(inspection.effective_weights(model)[key], before[key]), "the original is untouched"
    assert (inspection.sparsity_error(snapped) == 0).all()


@pytest.mark.parametrize("name", UNITS)
def test_nan_weights_stay_nan(name: str) -> None:
    model = UNITS[name](3, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.view(-1)[0] = float("nan")
    before = inspection.effective_weights(model)
    for key, W in inspection.effective_weights(inspection.snapped(model)).items():
        assert torch.equal(W.isnan(), before[key].isnan())
        assert W.isnan().any()


def test_parts_of_units_have_names_of_their_own() -> None:
    model = nn.Sequential(INALU(3, 2), NPU(2, 2), GatedNAUNMU(2, 2), MulMCFC(2, 2))
    assert list(inspection.effective_weights(model)) == [
        "0", "0.mul", "1", "1.im", "1.relevance", "2.nau", "2.nmu", "3.mcfc", "3.mcfc.gate",
    ]  # fmt: skip


def test_gates_of_all_kinds() -> None:
    """A gate that depends on the input, one that does not, and one with the golden ratio."""
    x = torch.tensor([[0.5, 1.0], [2.0, -1.0]])
    golden, gated, improved = GNALU(2, 1), GatedNAUNMU(2, 1), INALU(2, 1)
    with torch.no_grad():
        golden.G.copy_(torch.tensor([[1.0, 2.0]]))
        gated.G.copy_(torch.tensor([[1.0, 2.0]]))
        improved.gate_bias.fill_(-1.0)
    logits = torch.tensor([2.5, 0.0])
    ratio = (1 + 5**0.5) / 2
    for unit, expected in (
        (golden, (1 / (1 + ratio**-logits)).mean()),
        (gated, torch.sigmoid(logits).mean()),
        (improved, torch.sigmoid(torch.tensor(-1.0))),
    ):
        torch.testing.assert_close(inspection.gate_openness(unit, x)[""], expected.view(1))


def test_a_discretized_unit_computes_exactly() -> None:
    unit = NACMul(2, 1)
    with torch.no_grad():
        unit.W_hat.copy_(torch.tensor([[2.0, -2.0]]))
        unit.M_hat.fill_(2.0)
    snapped = inspection.snapped(unit)
    torch.testing.assert_close(snapped(torch.tensor([[6.0, 3.0]])), torch.tensor([[2.0]]))
