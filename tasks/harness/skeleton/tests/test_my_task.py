"""The data of the task, and a network that is known to be right."""

import torch

import nalu
from my_task.data import EXTRAPOLATION_RANGE, INPUTS, TRAINING_RANGE, evaluation_set, target
from my_task.train import evaluate

CPU = torch.device("cpu")


def test_targets_by_hand() -> None:
    """2 times 3 is 6."""
    assert target(torch.tensor([[2.0, 3.0]])).tolist() == [[6.0]]


def test_the_sets_lie_in_their_ranges_and_are_the_same_each_time() -> None:
    """No number of the extrapolation set is in the training range."""
    for seed, (low, high) in enumerate((TRAINING_RANGE, EXTRAPOLATION_RANGE)):
        x, y = evaluation_set(seed, 100, (low, high), CPU)
        assert x.shape == (100, INPUTS)
        assert low <= x.min() < x.max() <= high
        torch.testing.assert_close(y, target(x))
        assert torch.equal(evaluation_set(seed, 100, (low, high), CPU)[0], x)
    assert TRAINING_RANGE[1] <= EXTRAPOLATION_RANGE[0]


def test_a_network_with_the_right_weights_has_no_error() -> None:
    """An NMU with all weights 1 multiplies its inputs."""
    model = nalu.Ensemble(lambda: nalu.NMU(INPUTS, 1), range(2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1)
    sets = (evaluation_set(1, 50, TRAINING_RANGE, CPU), evaluation_set(2, 50, EXTRAPOLATION_RANGE, CPU))
    for error in evaluate(model, *sets).values():
        assert error.shape == (2,)
        assert error.max() < 1e-10
