"""Our recurrent cells against torch's, and arithmetic cells with weights set by hand."""

import pytest
import torch
from torch import nn

from nalu import NAC, NALU, NAU, NMU, ArithmeticCell, Ensemble, GRUCell, LSTMCell, NACMul, RNNCell

PAIRS = [
    (RNNCell, nn.RNNCell, {}),
    (RNNCell, nn.RNNCell, {"nonlinearity": "relu"}),
    (GRUCell, nn.GRUCell, {}),
    (LSTMCell, nn.LSTMCell, {}),
]


@pytest.mark.parametrize(("ours", "theirs", "options"), PAIRS)
def test_equal_to_torch_over_a_sequence(ours: type, theirs: type, options: dict[str, str]) -> None:
    torch.manual_seed(0)
    cell = ours(3, 5, **options, dtype=torch.float64)
    reference = theirs(3, 5, **options, dtype=torch.float64)
    cell.load_state_dict(reference.state_dict())
    x = torch.randn(7, 4, 3, dtype=torch.float64)
    state = cell.initial_state(x[0])
    expected = None
    for step in x:
        state, expected = cell(step, state), reference(step, expected)
        torch.testing.assert_close(state, expected)
    loss, expected_loss = (s[0].sum() if isinstance(s, tuple) else s.sum() for s in (state, expected))
    loss.backward()
    expected_loss.backward()
    for name, parameter in reference.named_parameters():
        torch.testing.assert_close(cell.get_parameter(name).grad, parameter.grad)


@pytest.mark.parametrize(("ours", "theirs", "options"), PAIRS)
def test_same_initialisation_as_torch(ours: type, theirs: type, options: dict[str, str]) -> None:
    torch.manual_seed(3)
    cell = ours(3, 5, **options)
    torch.manual_seed(3)
    reference = theirs(3, 5, **options)
    for name, parameter in reference.named_parameters():
        assert torch.equal(cell.get_parameter(name), parameter)


@pytest.mark.parametrize(("ours", "theirs", "options"), PAIRS)
def test_cells_run_in_an_ensemble(ours: type, theirs: type, options: dict[str, str]) -> None:
    class Last(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cell = ours(3, 5, **options, dtype=torch.float64)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            state = self.cell.initial_state(x[0])
            for step in x:
                state = self.cell(step, state)
            return state[0] if isinstance(state, tuple) else state

    ensemble = Ensemble(Last, seeds=range(3))
    x = torch.randn(3, 6, 4, 3, dtype=torch.float64)
    y = ensemble(x)
    for k in range(3):
        torch.testing.assert_close(y[k], ensemble.member(k)(x[k]))


@pytest.mark.parametrize("unit", [NAC, NAU])
def test_an_accumulator_sums_a_sequence(unit: type[NAC] | type[NAU]) -> None:
    cell = ArithmeticCell(unit, 2, 1)
    with torch.no_grad():
        for parameter in cell.parameters():
            parameter.copy_(torch.tensor([[1.0, -1.0, 1.0]]) * (1 if unit is NAU else 20))
        if unit is NAC:
            cell.unit.M_hat.fill_(20)
    x = torch.rand(50, 4, 2)
    h = cell.initial_state(x[0])
    for step in x:
        h = cell(step, h)
    torch.testing.assert_close(h, (x[..., 0] - x[..., 1]).sum(0).unsqueeze(-1), rtol=1e-5, atol=1e-5)


def test_products_start_from_one() -> None:
    cell = ArithmeticCell(NMU, 1, 1)
    nn.init.ones_(cell.unit.W_hat)
    x = torch.tensor([[[2.0]], [[-3.0]], [[5.0]]])
    h = cell.initial_state(x[0])
    assert h == 1
    for step in x:
        h = cell(step, h)
    assert h == -30


@pytest.mark.parametrize(("unit", "start"), [(NAC, 0), (NAU, 0), (NALU, 0), (NMU, 1), (NACMul, 1)])
def test_neutral_start(unit: type[nn.Module], start: float) -> None:
    x = torch.zeros(2, 7, 3)
    assert torch.equal(ArithmeticCell(unit, 3, 4).initial_state(x), torch.full((2, 7, 4), float(start)))
    assert torch.equal(ArithmeticCell(unit, 3, 4, start=5.0).initial_state(x), torch.full((2, 7, 4), 5.0))


def test_bad_arguments() -> None:
    with pytest.raises(ValueError, match="nonlinearity must be tanh or relu, got 'elu'"):
        RNNCell(1, 1, nonlinearity="elu")
    with pytest.raises(ValueError, match="out_features must be at least 1, got 0"):
        LSTMCell(1, 0)
