"""`nalu.testing.check_unit`: all units of the catalogue pass, and broken ones are found."""

import pytest
import torch
from torch import Tensor, nn

from nalu.testing import OPTIONAL, check_unit
from nalu.units.catalogue import UNITS


@pytest.mark.parametrize("name", UNITS)
def test_the_units_of_the_catalogue_pass(name: str) -> None:
    report = check_unit(UNITS[name].build)
    assert "ensembles" in report.checked
    assert report.lacks == tuple(part for part in OPTIONAL if not hasattr(UNITS[name].build(2, 1), part))


class Plain(nn.Module):
    """The least that a unit is."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_features, in_features))

    def forward(self, x: Tensor) -> Tensor:
        return x @ self.weight.mT


def test_a_plain_module_passes_and_lacks_all_optional_parts() -> None:
    assert check_unit(Plain).lacks == OPTIONAL


class OneDimension(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).squeeze(-1) if x.ndim == 1 else super().forward(x).flatten(0, -2)


class Single(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x).float()


class Mixing(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) - (x.mean(dim=0, keepdim=True) @ self.weight.mT if x.ndim > 1 else 0)


class Unseeded(Plain):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        with torch.no_grad():
            self.weight.uniform_(generator=torch.Generator().manual_seed(torch.seed()))


class Hidden(Plain):
    """Keeps a part of its state outside of the state_dict."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.offset = torch.randn(out_features)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + self.offset.to(x.dtype)


class Noisy(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) + (torch.rand(()) if self.training else 0)


class WrongGradient(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x.detach() + 0.5 * (x - x.detach()))


class Unused(Plain):
    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features)
        self.unused = nn.Parameter(torch.zeros(1))


class HalfWeighted(Plain):
    def snap_(self) -> None:
        """Without effective_weights()."""


class DoesNotSnap(Plain):
    def effective_weights(self) -> dict[str, Tensor]:
        return {"": self.weight}

    def snap_(self) -> None:
        """Forgets to round."""


class WrongPenalty(Plain):
    def regularizer(self) -> Tensor:
        return self.weight.abs().sum()


class Shrinking(Plain):
    @torch.no_grad()
    def clip_(self) -> None:
        self.weight.mul_(0.9)


class SameNoise(Plain):
    def renew_noise_(self) -> None:
        """Forgets to renew."""


class Branching(Plain):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if x.ndim != 2 or x[0, 0] < 1e9 else x


@pytest.mark.parametrize(
    ("unit", "message"),
    [
        (OneDimension, r"inputs \(2, 3, 3\) must give outputs \(2, 3, 2\), got \(6, 2\)"),
        (Single, "a unit and inputs of torch.float64 must give outputs of that dtype, got torch.float32"),
        (Mixing, "a row of a batch must not depend on the other rows|must give outputs"),
        (Unseeded, "the seed of torch's generator must determine the parameters"),
        (Hidden, "the state_dict must hold all that the outputs depend on"),
        (Noisy, "noise must stay the same until nalu.after_step_"),
        (WrongGradient, "must be that of finite differences"),
        (Unused, "the parameter unused must have a gradient"),
        (HalfWeighted, r"effective_weights\(\) and snap_\(\) must be given both or neither"),
        (DoesNotSnap, r"after snap_\(\) the weights W must be -1, 0 or 1; one is .* off"),
        (WrongPenalty, r"regularizer\(\) must have shape \(3,\), got \(\)"),
        (Shrinking, r"clip_\(\) must leave weights alone that it has clipped already"),
        (SameNoise, r"renew_noise_\(\) must change the outputs in training mode"),
    ],
)
def test_a_broken_unit_is_found(unit: type[nn.Module], message: str) -> None:
    with pytest.raises(AssertionError, match=message):
        check_unit(unit, export=False)


def test_a_unit_that_reads_its_inputs_on_the_host_cannot_be_vmapped_or_exported() -> None:
    with pytest.raises((AssertionError, RuntimeError)):
        check_unit(Branching)
