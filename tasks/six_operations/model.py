"""The networks of all seeds: three structures on a shared first layer, or three networks."""

from __future__ import annotations

from functools import partial

from nalu import Ensemble
from tasks.six_operations.one_network import OneNetwork
from tasks.six_operations.options import Config
from tasks.six_operations.three_networks import ThreeNetworks, typical_size


def build(config: Config) -> Ensemble:
    """The networks of all seeds, ``(S, ..., inputs) -> (S, ..., 3)``: one output for each structure."""
    if config.networks == "one":
        members = partial(OneNetwork, config.input_size, config.exponents)
        return Ensemble(members, config.seed_range, natively_batched=True)
    typical = typical_size(config.interpolation_range)
    members_of_three = partial(ThreeNetworks, config.input_size, config.exponents, typical)
    return Ensemble(members_of_three, config.seed_range, natively_batched=True)
