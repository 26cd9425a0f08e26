"""Networks: layout of the published weights, and agreement with retinaface-pytorch on equal weights."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn

from features.faces.detector import fold_batch_norms
from features.faces.retinaface import SPECS, build_network, find_spec, load_published_state


def randomise(network: nn.Module, seed: int) -> None:
    """Random weights and batch statistics, so that folding a batch norm wrongly cannot go unseen."""
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            for tensor, low, high in (
                (module.weight, 0.5, 1.0),
                (module.bias, -0.2, 0.2),
                (module.running_mean, -0.2, 0.2),
                (module.running_var, 0.8, 1.5),
            ):
                tensor.data.uniform_(low, high, generator=generator)


def package_network() -> nn.Module:
    network = pytest.importorskip("retinaface.network", reason="retinaface-pytorch is not installed")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # torchvision's, about `pretrained`
        return network.RetinaFace(
            name="Resnet50",
            pretrained=False,
            in_channels=256,
            return_layers={"layer2": 1, "layer3": 2, "layer4": 3},
            out_channels=256,
        )


def test_resnet50_heads_equal_the_package_on_equal_weights() -> None:
    reference = package_network().eval()
    randomise(reference, seed=3)
    ours = build_network("retinaface-resnet50")
    load_published_state(ours, reference.state_dict())
    ours = fold_batch_norms(ours).to(memory_format=torch.channels_last)
    images = torch.randn(1, 3, 64, 90, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for mine, theirs in zip(ours(images), reference(images), strict=True):
            # Folding reorders float32 sums; relative to the largest output, which random weights let grow.
            assert (mine - theirs).abs().max() <= 1e-4 * max(1.0, float(theirs.abs().max()))


@pytest.mark.parametrize("name", SPECS)
def test_folding_batch_norms_keeps_the_outputs(name: str) -> None:
    if name == "retinaface-resnet50":
        pytest.importorskip("retinaface", reason="retinaface-pytorch is not installed")
    network = build_network(name).eval()
    randomise(network, seed=1)
    folded = fold_batch_norms(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in folded.modules())
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.modules())
    images = torch.randn(1, 3, 64, 96, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        for mine, given in zip(folded(images), network(images), strict=True):
            assert (mine - given).abs().max() <= 1e-4 * max(1.0, float(given.abs().max()))


def test_mobilenet_has_the_size_of_the_published_file() -> None:
    network = build_network("retinaface-mobilenet0.25")
    # 1,789,735 bytes of file: 426,608 trained numbers and the batch statistics, four bytes each, and names.
    assert sum(p.numel() for p in network.parameters()) == 426_608
    assert len(network.state_dict()) == 300


@pytest.mark.parametrize(("height", "width"), [(360, 640), (33, 65), (32, 32)])
def test_mobilenet_predicts_for_two_anchors_of_each_cell(height: int, width: int) -> None:
    network = build_network("retinaface-mobilenet0.25").eval()
    n_anchors = sum(2 * -(-height // stride) * -(-width // stride) for stride in (8, 16, 32))
    with torch.inference_mode():
        boxes, logits, landmarks = network(torch.zeros(2, 3, height, width))
    assert boxes.shape == (2, n_anchors, 4)
    assert logits.shape == (2, n_anchors, 2)
    assert landmarks.shape == (2, n_anchors, 10)


def test_the_prefix_of_multi_gpu_training_is_dropped() -> None:
    source, target = build_network("retinaface-mobilenet0.25"), build_network("retinaface-mobilenet0.25")
    load_published_state(target, {f"module.{key}": value for key, value in source.state_dict().items()})
    for mine, theirs in zip(target.state_dict().values(), source.state_dict().values(), strict=True):
        assert torch.equal(mine, theirs)


def test_foreign_weights_are_refused_with_names() -> None:
    network = build_network("retinaface-mobilenet0.25")
    state = network.state_dict()
    del state["fpn.output1.0.weight"]
    state["fc.weight"] = torch.zeros(3)
    state["ssh1.conv3X3.0.weight"] = torch.zeros(3)
    with pytest.raises(ValueError, match=r"1 missing \(fpn\.output1\.0\.weight\), 1 unexpected \(fc\.weight\), 1 of"):
        load_published_state(network, state)


def test_an_unknown_detector_is_refused_with_the_names_known() -> None:
    with pytest.raises(ValueError, match=r"retinaface-mobilenet0\.25, retinaface-resnet50, got 'yolo'"):
        find_spec("yolo")
