"""Six operations: the choice among structures, with weights set by hand."""

import io
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from nalu import Ensemble
from tasks.harness.errors import OptionError
from tasks.harness.training.run import run
from tasks.six_operations import TASK, one_network, three_networks
from tasks.six_operations.one_network import OneNetwork
from tasks.six_operations.options import Config
from tasks.six_operations.results import tables
from tasks.six_operations.three_networks import ThreeNetworks
from tasks.six_operations.train import train
from tests.helpers import SUBSETS, subset_sums


def exact_networks(seeds: range) -> Ensemble:
    """Networks whose rows are those of every seed's subsets: exact for add, mul and div."""
    model = Ensemble(lambda: ThreeNetworks(100, "given", 1.5), seeds, natively_batched=True)
    masks = torch.stack([SUBSETS.masks(seed) for seed in seeds])
    with torch.no_grad():
        model.template.sum.W.copy_(masks)
        for structure in (model.template.product, model.template.quotient):
            structure.W_hat.copy_(masks)
    return model


@pytest.mark.parametrize(("op", "structure"), [("add", 0), ("mul", 1), ("div", 2)])
def test_validation_chooses_the_structure(op: str, structure: int) -> None:
    config = Config(op=op, networks="three")
    data = subset_sums(op, range(3), eval_size=300)
    model = exact_networks(range(3))
    result = three_networks.evaluate(model.template, data.validation, data.extrapolation)
    assert result["chosen/head"].tolist() == [structure] * 3
    assert (result["extrapolation/error"] < config.threshold()).all()
    assert (result["weights/sparsity"] < 1e-5).all()


def test_snapped_structures_are_candidates_and_the_choice_does_not_see_extrapolation() -> None:
    data = subset_sums("mul", range(3), eval_size=300)
    model = exact_networks(range(3))
    with torch.no_grad():
        model.template.product.W_hat.add_(0.1 * torch.rand(3, 2, 100))
        model.template.product.scale.add_(0.01)
        model.template.product.W_hat[2] = torch.nan
        model.template.quotient.W_hat[2] = torch.nan
    result = three_networks.evaluate(model.template, data.validation, data.extrapolation)
    assert result["chosen/head"].tolist() == [1, 1, 0]
    assert result["chosen/snapped"].tolist()[:2] == [1, 1]
    assert (result["extrapolation/error"][:2] < Config(op="mul", networks="three").threshold()).all()
    assert (result["unsnapped/extrapolation"] > 1).all()
    assert result["interpolation/error"].isfinite().all()

    inputs, targets = data.extrapolation
    misleading = three_networks.evaluate(model.template, data.validation, (inputs, 0 * targets))
    assert torch.equal(misleading["chosen/head"], result["chosen/head"])
    assert torch.equal(misleading["interpolation/error"], result["interpolation/error"])


def test_each_network_learns_from_its_own_error_alone() -> None:
    model = Ensemble(lambda: ThreeNetworks(100, "given", 1.5), range(2), natively_batched=True)
    x, y = subset_sums("mul", range(2)).batch(0)
    outputs = model(x).detach().requires_grad_()
    three_networks.loss(outputs, y).sum().backward()
    together = outputs.grad.clone()
    for structure in range(3):
        alone = outputs.detach().clone()
        others = [other for other in range(3) if other != structure]
        alone[..., others] = alone[..., others] + 1
        alone.requires_grad_()
        three_networks.loss(alone, y).sum().backward()
        torch.testing.assert_close(alone.grad[..., structure], together[..., structure])


def test_only_learned_exponents_move_apart() -> None:
    for exponents, p in (("given", 1.0), ("learned", 0.3)):
        config = Config(op="div", networks="three", exponents=exponents, seeds=2, steps=5, eval_size=20, device="cpu")
        first, last = (s.model.member(0).quotient.P.detach() for s in train(config))
        torch.testing.assert_close(first, torch.tensor([[p, -p]]))
        assert torch.equal(last[:, 0] - last[:, 1], first[:, 0] - first[:, 1]) == (exponents == "given")
        assert not torch.equal(last.sum(), first.sum())


def gated(seeds: range) -> Ensemble:
    return Ensemble(lambda: OneNetwork(100, "learned"), seeds, natively_batched=True)


def test_the_structures_of_one_network_share_their_first_layer() -> None:
    model = gated(range(3))
    x = torch.rand(3, 8, 100) + 1
    assert [name for name, p in model.named_parameters() if p.shape[-1] == 100] == ["template.product.W_hat"]
    torch.testing.assert_close(model.template.apart()(x), model(x))


def test_the_gate_weighs_logarithms_of_losses() -> None:
    """With variances of 1 in the targets' and a gate of (1/2, 1/4, 1/4)."""
    generator = torch.Generator().manual_seed(0)
    target = (torch.randn(1, 4096, 1, generator=generator) / 3).exp()
    outputs = target.log().expand(1, 4096, 3).clone()
    outputs[..., 0] = target[..., 0]
    factors = torch.tensor([0.9, 0.8, 0.5])  # so that errors vary as 0.1, 0.2 and 0.5 times the targets do
    mean = outputs.mean(dim=1, keepdim=True)
    gate = torch.tensor([2.0, 1.0, 1.0]).log().view(1, 1, 3)
    result = one_network.loss(mean + factors * (outputs - mean), target, gate)
    parts = (1 - factors).square().log()
    torch.testing.assert_close(result, (parts[0] / 2 + parts[1] / 4 + parts[2] / 4).view(1), rtol=1e-3, atol=0)


@pytest.mark.parametrize("structure", range(3))
def test_only_the_structure_of_the_gate_is_a_candidate(structure: int) -> None:
    """Rows of the subsets, mul: the product is exact, the quotient is once refitted, and the sum never."""
    model = gated(range(2))
    network = model.template
    with torch.no_grad():
        masks = torch.stack([SUBSETS.masks(seed) for seed in range(2)])
        network.product.W_hat.copy_(masks)
        network.product.half_sum.fill_(1)
        network.gate[..., structure] = 3
    config = Config(op="mul")
    data = subset_sums("mul", range(2))
    result = one_network.evaluate(network, data.validation, data.extrapolation)
    assert (result["chosen/head"] == structure).all()
    assert (result["extrapolation/error"] < config.threshold()).tolist() == [structure > 0] * 2
    assert (result["unsnapped/extrapolation"] < config.threshold()).tolist() == [structure == 1] * 2


def test_three_networks_train_resume_exactly_and_report(tmp_path: Path) -> None:
    config = Config(op="sub", networks="three", seeds=3, steps=40, eval_every=20, eval_size=100, device="cpu")
    first, middle, last = ((s.step, {n: v.clone() for n, v in s.metrics.items()}, s.state) for s in train(config))
    assert (last[1]["train/loss"] < first[1]["train/loss"]).all()
    saved = io.BytesIO()
    generator = train(config)
    next(generator)
    torch.save(next(generator).state, saved)
    saved.seek(0)
    (resumed,) = train(config, torch.load(saved, weights_only=True))
    assert (middle[0], resumed.step) == (20, 40)
    for name, value in last[1].items():
        assert torch.equal(resumed.metrics[name], value), name
    alone = [s.metrics for s in train(replace(config, first_seed=2, seeds=1))][-1]
    torch.testing.assert_close(alone["train/loss"], last[1]["train/loss"][2:], rtol=1e-3, atol=0)

    (table,) = tables([run(TASK, config, tmp_path / "three")])
    assert [row[:2] for row in table.rows] == [["sub", "three"]]
    assert "Priors" in " ".join(table.notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 1}, "--batch-size must be at least 2, got 1"),
        ({"learning_rate": 0.0}, "--learning-rate must be above 0, got 0.0"),
        ({"warm_up": 1.5}, r"--warm-up must lie in \[0, 1\], got 1.5"),
        ({"beta2": 1.0}, r"--beta2 must lie in \[0, 1\), got 1.0"),
    ],
)
def test_values_that_cannot_be_used(options: dict[str, object], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Config(**options)


def test_preconditioning_does_not_mix_seeds() -> None:
    config = Config(
        networks="three", exponents="learned", warm_up=0.0, seeds=4, steps=5, eval_size=50, learning_rate=0.001,
        device="cpu",
    )  # fmt: skip
    *_, together = train(config)
    *_, alone = train(replace(config, first_seed=3, seeds=1))
    for name, single in alone.model.stacked().items():
        torch.testing.assert_close(together.model.stacked()[name][3:], single, rtol=1e-3, atol=1e-5)
