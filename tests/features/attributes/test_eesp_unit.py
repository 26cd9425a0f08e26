"""The EESP unit: dilations, hierarchical fusion, identity."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from features.attributes import build
from features.attributes.eesp import EespUnit, branch_dilations
from features.attributes.network import AttributeNetwork


@pytest.mark.parametrize(
    ("max_field", "dilations"),
    [
        (13, (1, 2, 3, 4)),
        (11, (1, 2, 3, 4)),
        (9, (1, 2, 3, 4)),
        (7, (1, 1, 2, 3)),
        (5, (1, 1, 1, 2)),
        (3, (1, 1, 1, 1)),
    ],
)
def test_dilations_by_receptive_field(max_field: int, dilations: tuple[int, ...]) -> None:
    assert branch_dilations(max_field) == dilations


def test_receptive_field_has_a_lower_limit() -> None:
    with pytest.raises(ValueError, match="at least 3 pixels, got 1"):
        branch_dilations(1)


def test_dilations_along_the_network() -> None:
    """SPEC A2: limits 13, 11, 9, 7 in the down-samplers; 9, 7, 5 in the units at 28, 14 and 7 pixels."""
    network = build("eesp")
    assert isinstance(network, AttributeNetwork)
    downs = [down.unit.dilations for down in network.downs]
    assert downs == [(1, 2, 3, 4), (1, 2, 3, 4), (1, 2, 3, 4), (1, 1, 2, 3)]
    stages = [{unit.dilations for unit in stage} for stage in network.stages]
    assert stages == [set(), {(1, 2, 3, 4)}, {(1, 1, 2, 3)}, {(1, 1, 1, 2)}]


def test_fusion_adds_each_branch_to_the_next() -> None:
    """With unit weights at the centre of each branch every o_k is the reduced input r, so y_k = k r."""
    unit = EespUnit(16, 16, max_field=9).eval()
    for convolve in unit.pyramid:
        assert isinstance(convolve, nn.Conv2d)
        nn.init.zeros_(convolve.weight)
        convolve.weight.data[:, 0, 1, 1] = 1.0
    seen: list[torch.Tensor] = []
    unit.merge.register_forward_pre_hook(lambda _module, inputs: seen.append(inputs[0]))
    x = torch.rand(1, 16, 9, 9)
    with torch.inference_mode():
        unit(x)
        reduced = unit.reduce(x)
    torch.testing.assert_close(seen[0], torch.cat([reduced * k for k in (1, 2, 3, 4)], dim=1))


def test_identity_only_where_shapes_agree_and_not_in_a_down_sampler() -> None:
    assert EespUnit(16, 16).residual
    assert not EespUnit(16, 32).residual
    assert not EespUnit(16, 16, stride=2).residual
    assert not EespUnit(16, 16, down=True).residual
    assert isinstance(EespUnit(16, 16, down=True).activation, nn.Identity)


@pytest.mark.parametrize(("n_in", "n_out", "message"), [(6, 16, "input channels"), (8, 24, "output channels")])
def test_channels_must_divide(n_in: int, n_out: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        EespUnit(n_in, n_out)
