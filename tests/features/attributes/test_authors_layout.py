"""Checkpoints of the authors' code: a network built as theirs is described, with its unused layers, under names of its own."""

from __future__ import annotations

from collections import OrderedDict

import pytest
import torch
from torch import nn

from features.attributes import build
from features.attributes.authors_layout import load_released, released_slots
from features.attributes.cost import count_parameters
from features.attributes.network import AttributeNetwork, Reinforcement

# SPEC A1: parameters of the released builds, unused layers included.
RELEASED = {"bottleneck": 6_474_862, "mobilenet": 6_212_190, "eesp": 2_422_726}
WIDTHS = (32, 128, 256, 512, 1024)


class AuthorsDown(nn.Module):
    """A down-sampler with the PReLU that is never applied at the end of its unit, and its reinforcement, used or not."""

    def __init__(self, ours: nn.Module, n_in: int, n_out: int) -> None:
        super().__init__()
        self.conv = ours.unit
        self.conv.module_act = nn.PReLU(n_out - n_in)
        self.inp_reinf = ours.reinforcement or Reinforcement(n_out)
        self.act = ours.activation


class AuthorsNetwork(nn.Module):
    """The layers of one of our networks in the order of the forward pass, under other names, with the unused ones added."""

    def __init__(self, ours: AttributeNetwork) -> None:
        super().__init__()
        self.level1 = ours.stem
        for i in range(4):
            self.add_module(f"level{i + 2}_0", AuthorsDown(ours.downs[i], WIDTHS[i], WIDTHS[i + 1]))
            if len(ours.stages[i]):
                self.add_module(f"level{i + 2}", ours.stages[i])
        self.features = ours.head
        self.classifier = ours.predict


def lively(unit: str, seed: int = 0) -> AttributeNetwork:
    torch.manual_seed(seed)
    network = build(unit, scale=2)
    assert isinstance(network, AttributeNetwork)
    for name, value in network.state_dict().items():
        if name.endswith(("running_mean", "bias")):
            value.normal_(std=0.1)
        elif name.endswith("running_var"):
            value.uniform_(0.5, 1.5)
        elif name.endswith(("activation.weight", "merge.1.weight")):
            value.uniform_(0.1, 0.4)
    nn.init.normal_(network.predict.weight, std=0.2)
    return network.eval()


def authors_state(unit: str) -> tuple[dict[str, torch.Tensor], torch.Tensor]:
    """State dict of an authors-like network, and what our network gives for `image`."""
    ours = lively(unit)
    with torch.inference_mode():
        expected = ours(image())
    return dict(AuthorsNetwork(ours).state_dict()), expected


def image() -> torch.Tensor:
    return torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(3))


@pytest.mark.parametrize("unit", RELEASED)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_network_with_the_unused_layers_loads_and_reads_the_same(unit: str, prefix: str) -> None:
    state, expected = authors_state(unit)
    if not prefix:
        assert count_parameters(AuthorsNetwork(lively(unit))) == RELEASED[unit]
    loaded = load_released({prefix + name: value for name, value in state.items()}, unit)
    with torch.inference_mode():
        torch.testing.assert_close(loaded(image()), expected, rtol=0, atol=0)


@pytest.mark.parametrize("unit", RELEASED)
def test_slots_hold_as_many_weights_as_the_released_network(unit: str) -> None:
    network = build(unit, scale=2)
    assert isinstance(network, AttributeNetwork)
    slots = [slot for slot in released_slots(network) if slot.kind in {"weight", "bias"}]
    assert sum(torch.Size(slot.shape).numel() for slot in slots) == RELEASED[unit]
    dead = [slot.shape for slot in slots if slot.dead]
    assert sum(torch.Size(shape).numel() for shape in dead) == 6_202
    assert [shape for shape in dead if len(shape) == 1][:3] == [(96,), (128,), (256,)]


def test_an_eesp_unit_built_in_the_other_order_loads_too() -> None:
    """The expanding convolution before the normalisation of the pyramid: the order is found by the shapes."""
    ours = lively("eesp")
    with torch.inference_mode():
        expected = ours(image())
    for module in list(ours.modules()):
        if hasattr(module, "pyramid"):
            module._modules = OrderedDict(
                (name, module._modules[name]) for name in ("reduce", "pyramid", "expand", "merge", "activation")
            )
    loaded = load_released(AuthorsNetwork(ours).state_dict(), "eesp")
    with torch.inference_mode():
        torch.testing.assert_close(loaded(image()), expected, rtol=0, atol=0)


def test_old_checkpoints_without_batch_counts_load() -> None:
    state, expected = authors_state("mobilenet")
    fewer = {name: value for name, value in state.items() if not name.endswith("num_batches_tracked")}
    with torch.inference_mode():
        torch.testing.assert_close(load_released(fewer, "mobilenet")(image()), expected, rtol=0, atol=0)


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    return authors_state("mobilenet")[0]


def test_surplus_and_missing_tensors_are_refused(state: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match=r"first left over is extra\.weight"):
        load_released(state | {"extra.weight": torch.zeros(3)}, "mobilenet")
    last = list(state)[-1]
    with pytest.raises(ValueError, match=r"first missing is predict\.bias \(bias \(22,\)\)"):
        load_released({name: value for name, value in state.items() if name != last}, "mobilenet")


def test_a_checkpoint_without_the_unused_layers_is_refused(state: dict[str, torch.Tensor]) -> None:
    fewer = {name: value for name, value in state.items() if "module_act" not in name}
    with pytest.raises(ValueError, match=r"should be a layer that is never applied \(weight \(96,\)\)"):
        load_released(fewer, "mobilenet")


def test_another_unit_another_order_and_undefined_weights_are_refused(state: dict[str, torch.Tensor]) -> None:
    with pytest.raises(ValueError, match="--key-map"):
        load_released(state, "bottleneck")
    names = list(state)
    names[0], names[1] = names[1], names[0]
    with pytest.raises(ValueError, match=r"tensor 1 should be stem\.conv\.weight \(weight \(32, 3, 3, 3\)\)"):
        load_released({name: state[name] for name in names}, "mobilenet")
    with pytest.raises(ValueError, match=r"undefined ones in predict\.bias"):
        load_released(state | {"classifier.bias": torch.full((22,), torch.nan)}, "mobilenet")


def key_map() -> tuple[dict[str, str], list[str]]:
    names = {"level1": "stem", "features": "head", "classifier": "predict"}
    dead = ["level5_0.inp_reinf"]
    for i in range(4):
        down = f"level{i + 2}_0"
        names |= {
            f"{down}.conv": f"downs.{i}.unit",
            f"{down}.act": f"downs.{i}.activation",
            f"level{i + 2}": f"stages.{i}",
        }
        names |= {f"{down}.inp_reinf": f"downs.{i}.reinforcement"} if i < 3 else {}
        dead.append(f"{down}.conv.module_act")
    return names, dead


def test_a_map_of_names_needs_no_order() -> None:
    state, expected = authors_state("mobilenet")
    names, dead = key_map()
    shuffled = dict(sorted(state.items()))
    with torch.inference_mode():
        got = load_released(shuffled, "mobilenet", names=names, dead=dead)(image())
    torch.testing.assert_close(got, expected, rtol=0, atol=0)


def test_a_map_drops_the_unused_layers_and_nothing_else(state: dict[str, torch.Tensor]) -> None:
    names, dead = key_map()
    with pytest.raises(ValueError, match=r"1 x bias \(22,\) would be dropped that is no layer"):
        load_released(
            state, "mobilenet", names={k: v for k, v in names.items() if k != "classifier"}, dead=[*dead, "classifier"]
        )
    with pytest.raises(ValueError, match=r"level1\.conv\.weight is not in the map"):
        load_released(state, "mobilenet", names={k: v for k, v in names.items() if k != "level1"}, dead=dead)
    with pytest.raises(ValueError, match=r"1 x weight \(96,\) to drop is missing"):
        load_released(
            {k: v for k, v in state.items() if k != "level2_0.conv.module_act.weight"},
            "mobilenet",
            names=names,
            dead=dead,
        )
    with pytest.raises(ValueError, match="a second tensor for stem"):
        load_released(state, "mobilenet", names=names | {"features.0": "stem"}, dead=dead)
