"""The two networks: size, shape, states."""

from __future__ import annotations

import pytest
import torch

from classifiers.sequences import KINDS, build
from classifiers.sequences.training import count_parameters


@pytest.mark.parametrize(("kind", "expected"), [("gru", 157_569), ("bilstm", 551_169)])
def test_parameter_counts_are_those_of_the_published_networks(kind: str, expected: int) -> None:
    """3 (GRU) or 4 (LSTM) gates x (inputs + hidden weights + two biases), by layer and direction, and a linear head."""
    assert count_parameters(build(kind)) == expected


@pytest.mark.parametrize("kind", KINDS)
def test_a_window_gives_a_number(kind: str) -> None:
    network = build(kind, 5).eval()
    windows = torch.rand(7, 15, 5)
    assert network(windows).shape == (7,)
    torch.testing.assert_close(network(windows)[3], network(windows[3:4])[0], atol=1e-6, rtol=1e-5)


def test_released_bilstm_is_not_deterministic_and_ours_is() -> None:
    windows = torch.rand(4, 15, 22)
    released, ours = build("bilstm", random_states=True).eval(), build("bilstm").eval()
    assert not torch.equal(released(windows), released(windows))
    assert torch.equal(ours(windows), ours(windows))


def test_bilstm_drops_outputs_in_training_only() -> None:
    torch.manual_seed(0)
    network, windows = build("bilstm"), torch.rand(4, 15, 22)
    assert not torch.equal(network.train()(windows), network(windows))


def test_unknown_kind_and_no_inputs_are_refused() -> None:
    with pytest.raises(ValueError, match="'gru', 'bilstm'"):
        build("transformer")
    with pytest.raises(ValueError, match="one input"):
        build("gru", 0)
