"""Every registered unit in the skeleton: sizes as derived and as published, shapes, conformance."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from features.attributes import build, registered_units
from features.attributes.cost import count_macs, count_parameters
from features.attributes.network import AttributeNetwork, DownSampler, OutputLayout, fold_norms, stage_channels
from features.attributes.registry import find_unit, register_unit

LAYOUT = OutputLayout(n_expressions=8, n_aus=12)

# SPEC A1 (Li et al., 2019): parameters with the layers that the released code builds and never applies, and MACs.
PUBLISHED = {"bottleneck": (6_474_862, 0.8521e9), "mobilenet": (6_212_190, 0.7786e9), "eesp": (2_422_726, 0.2945e9)}


def dead_parameters(scale: float) -> int:
    """Weights of the layers that are left out, counted by hand.

    A PReLU of ``cout - cin`` in each down-sampler; the reinforcement of the fourth: conv 3x3 3->3 (81), BN (6),
    PReLU (3), conv 1x1 3->c (3 c), BN (2 c).
    """
    widths = stage_channels(scale)
    return (widths[4] - widths[0]) + 81 + 6 + 3 + 5 * widths[4]


def test_units_are_registered() -> None:
    assert registered_units() == ("bottleneck", "eesp", "mobilenet")


@pytest.mark.parametrize("unit", PUBLISHED)
def test_sizes_at_scale_two_are_the_published_ones(unit: str) -> None:
    network = build(unit, scale=2)
    parameters, macs = PUBLISHED[unit]
    assert dead_parameters(2) == 6_202
    assert count_parameters(network) + dead_parameters(2) == parameters
    assert count_parameters(network) == pytest.approx(parameters, rel=0.005)
    assert count_macs(network) == pytest.approx(macs, rel=0.005)


@pytest.mark.parametrize(("scale", "head", "published"), [(1, 1024, 1_670_072), (2, 1280, 3_498_136)])
def test_eesp_with_1000_classes_is_espnetv2(scale: float, head: int, published: int) -> None:
    """The sizes of ESPNetv2 in EdgeNets, whose head is wider and grouped: the units and the skeleton are the same."""
    layout = OutputLayout(n_expressions=986, n_aus=12)
    network = AttributeNetwork("eesp", scale=scale, layout=layout, head_channels=head, head_groups=4)
    assert layout.n_outputs == 1000
    assert count_parameters(network) + dead_parameters(scale) == published


def test_eesp_macs_with_1000_classes() -> None:
    """ESPNetv2 at scale 2: 286 M multiply-accumulates."""
    layout = OutputLayout(n_expressions=986, n_aus=12)
    network = AttributeNetwork("eesp", scale=2, layout=layout, head_channels=1280, head_groups=4)
    assert count_macs(network) == pytest.approx(286e6, rel=0.001)


def test_channels_of_each_scale() -> None:
    assert stage_channels(2) == (32, 128, 256, 512, 1024)
    assert stage_channels(1.5) == (32, 96, 192, 384, 768)
    assert stage_channels(1) == (32, 64, 128, 256, 512)
    assert stage_channels(0.5) == (16, 32, 64, 128, 256)


@pytest.mark.parametrize("scale", [0, -1, 0.3, 0.03125])
def test_impossible_scales_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match=r"0\.5, 1, 1\.5 or 2"):
        build("bottleneck", scale=scale)


def test_eesp_refuses_channels_that_do_not_divide_into_groups() -> None:
    with pytest.raises(ValueError, match="output channels of an EESP unit to be a positive multiple of 16, got 24"):
        build("eesp", scale=0.75)


def test_unknown_unit_is_refused() -> None:
    with pytest.raises(ValueError, match="bottleneck, eesp, mobilenet, got 'resnet'"):
        build("resnet")


def test_tasks_need_outputs() -> None:
    with pytest.raises(ValueError, match="got 0 and 8"):
        build("eesp", n_aus=0)


def test_unit_names_are_unique() -> None:
    with pytest.raises(ValueError, match="'eesp', which is registered already"):
        register_unit("eesp", reference="x")(find_unit("eesp").factory)


def test_a_down_sampler_widens() -> None:
    with pytest.raises(ValueError, match="64 to 64 channels"):
        DownSampler(64, 64, unit=find_unit("mobilenet").factory, max_field=5, reinforced=False)


@pytest.mark.parametrize("unit", registered_units())
@pytest.mark.parametrize("scale", [0.5, 1, 1.5, 2])
def test_every_unit_conforms(unit: str, scale: float) -> None:
    torch.manual_seed(0)
    network = build(unit, scale=scale, n_aus=5, n_expressions=7).eval()
    with torch.inference_mode():
        for side in (64, 75):  # 75 halves unevenly: 38, 19, 10, 5, 3
            raw = network(torch.rand(2, 3, side, side))
            assert raw.shape == (2, 7 + 2 + 5)
            assert torch.isfinite(raw).all()


@pytest.mark.parametrize("unit", registered_units())
def test_every_weight_is_applied(unit: str) -> None:
    """No dead layer: a loss on the outputs reaches every parameter."""
    torch.manual_seed(0)
    network = build(unit, scale=0.5)
    network(torch.rand(4, 3, 64, 64)).square().sum().backward()
    untouched = [name for name, value in network.named_parameters() if value.grad is None or not value.grad.any()]
    assert untouched == []


@pytest.mark.parametrize("unit", registered_units())
def test_only_the_first_three_down_samplers_see_the_image(unit: str) -> None:
    network = build(unit)
    assert isinstance(network, AttributeNetwork)
    assert [down.reinforcement is not None for down in network.downs] == [True, True, True, False]


@pytest.mark.parametrize("unit", registered_units())
def test_repeats_of_the_stages(unit: str) -> None:
    network = build(unit)
    assert isinstance(network, AttributeNetwork)
    assert [len(stage) for stage in network.stages] == [0, 3, 7, 3]


@pytest.mark.parametrize("unit", registered_units())
def test_folding_changes_nothing_but_speed(unit: str) -> None:
    torch.manual_seed(0)
    network = build(unit, scale=0.5)
    for _ in range(3):  # running statistics that are not 0 and 1
        network(torch.rand(4, 3, 64, 64))
    images = torch.rand(2, 3, 64, 64)
    network.eval()
    with torch.inference_mode():
        expected = network(images)
        got = fold_norms(network)(images)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-6)  # float32, some 60 convolutions
    left = sum(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    n_eesp = 17 if unit == "eesp" else 0  # the normalisation of the fused branches follows an addition
    assert left == n_eesp


def test_folding_in_training_mode_is_refused() -> None:
    with pytest.raises(ValueError, match=r"call \.eval\(\) first"):
        fold_norms(build("eesp", scale=0.5).train())


def test_mobilenet_stride_sits_on_the_pointwise_convolution() -> None:
    unit = find_unit("mobilenet").factory(8, 8, stride=2, max_field=5, down=True)
    strides = {module.kernel_size: module.stride for module in unit.modules() if isinstance(module, nn.Conv2d)}
    assert strides == {(3, 3): (1, 1), (1, 1): (2, 2)}


def test_initial_linear_weights_are_small() -> None:
    """Linear N(0, 0.001): 11,264 draws have a standard deviation within 5 % of it."""
    torch.manual_seed(0)
    network = build("eesp", scale=1)
    assert isinstance(network, AttributeNetwork)
    assert network.predict.weight.std().item() == pytest.approx(0.001, rel=0.05)
    assert not network.predict.bias.any()
