"""The agent's network: encoder, core and accumulator units against answers known by hand or computed by torch."""

import pytest
import torch
from torch import Tensor

from tasks.gridworld_time.agent.accumulator import Oracle, Ternary
from tasks.gridworld_time.agent.episodes import Episodes
from tasks.gridworld_time.agent.model import all_observations, build_encoder
from tasks.gridworld_time.options import Config
from tasks.gridworld_time.world.dynamics import STARTS
from tests.tasks.gridworld_time.helpers import DESIGNS, agents_of


@pytest.mark.parametrize("options", DESIGNS[:3])
def test_the_memory_agrees_with_torchs_lstm_cell(options: dict[str, object]) -> None:
    agents, random = agents_of(**options), torch.Generator().manual_seed(0)
    start, instruction = (torch.randint(*ends, (2, 7), generator=random) for ends in ((0, STARTS), (5, 13)))
    episodes = Episodes(agents, agents.features(), start, instruction)
    expected: list[tuple[Tensor, Tensor] | None] = [None, None]
    for t in range(3):
        state_id = episodes.state_id
        logits, value = episodes.policy()
        for k in range(2):
            core, encoder = agents.core.member(k), agents.encoders[k]
            reference = torch.nn.LSTMCell(core.memory.input_size, 8)
            reference.load_state_dict(core.memory.state_dict())
            scaled = 0.1 * instruction[k].unsqueeze(-1).float() * (t == 0 or options.get("instruction_at") != "start")
            from_nac = [] if core.nac is None else [core.nac(scaled)]
            inputs = torch.cat([encoder(agents.observations[state_id[k]]), scaled, *from_nac], dim=-1)
            expected[k] = reference(inputs, expected[k])
            torch.testing.assert_close(tuple(part[k] for part in episodes.recurrent_state), expected[k])
            heads = torch.nn.functional.linear(expected[k][0], core.heads.weight, core.heads.bias)
            torch.testing.assert_close(torch.cat([logits[k], value[k].unsqueeze(-1)], dim=-1), heads)
        episodes.step(torch.randint(5, (2, 7), generator=random))


def test_agents_remember_the_instruction() -> None:
    ternary = {"instruction_path": "accumulator"}  # its weight of T may be 0
    for options in (options for options in DESIGNS if options != ternary):
        agents = agents_of(range(1), **options)
        features = agents.features()
        start = torch.tensor([[5, 5]])
        episodes = Episodes(agents, features, start, torch.tensor([[5, 40]]))
        for _ in range(3):
            logits, _ = episodes.policy()
            episodes.step(torch.full((1, 2), 4))
            assert not torch.equal(logits[0, 0], logits[0, 1]), options


def test_ternary_weights() -> None:
    unit = Ternary(3, 1)
    with torch.no_grad():
        unit.W_hat.copy_(torch.tensor([[0.4, -3.0, 0.6]]))
    assert unit.W.tolist() == [[0, -1, 1]]
    unit(torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert unit.W_hat.grad.tolist() == [[1, 0, 3]]  # the gradient ignores the rounding, not the clipping


def test_the_oracle_counts_down() -> None:
    assert Oracle(2, 1)(torch.tensor([[7.0, 0.0], [0.0, 1.0]])).tolist() == [[7], [-1]]
    agents = agents_of(range(1), instruction_path="accumulator", unit="oracle", counts="actions")
    episodes = Episodes(agents, agents.features(), torch.tensor([[5]]), torch.tensor([[9]]))
    for time in range(5):
        episodes.policy()
        assert episodes.recurrent_state[-1].item() == 9 - time
        episodes.step(torch.tensor([[time]]))


def test_the_reading_range_clips_what_is_read_not_what_is_stored() -> None:
    agents = agents_of(range(1), instruction_path="accumulator", unit="oracle")
    reading_range = torch.full((1, 1, 1), -1.0), torch.full((1, 1, 1), 12.0)
    start = torch.tensor([[5, 5]])
    episodes = Episodes(agents, agents.features(), start, torch.tensor([[12, 99]]), reading_range)
    logits, _ = episodes.policy()
    assert torch.equal(logits[0, 0], logits[0, 1])
    assert episodes.recurrent_state[-1].flatten().tolist() == [12, 99]


def test_encoders() -> None:
    for kind, shape in (("symbolic", (600, 50)), ("pixels", (600, 3, 56, 56))):
        observed = all_observations(kind)
        assert observed.shape == shape
        assert (observed.min().item(), observed.max().item()) == (0, 1)
        features = build_encoder(Config(observation=kind).design)(observed)
        assert features.shape == (600, 64)
        assert len(features.unique(dim=0)) == 600
