"""Images per second of the attribute networks: training in PyTorch, inference in PyTorch and in ONNX Runtime.

Usage: python -m benchmarks.attributes [--scale 2] [--size 224] [--threads 0] [--seconds 2] [--batches 1 16 64] [--processor-time]

The three units, and torchvision's resnet50 and mobilenet_v2 with 22 outputs, in the same run: fresh weights, random pixels in
memory, the same optimiser and loss for all, single precision. Inference in PyTorch is channels last with folded normalisations, as
extraction runs it. On a machine that others use too, ``--threads 1 --processor-time`` counts the
seconds that this process was given.
"""

from __future__ import annotations

import argparse
import os
import platform
import time
import warnings
from collections.abc import Callable, Iterator

import numpy as np
import onnxruntime
import torch
import torchvision
from torch import nn

from features.attributes import build, registered_units
from features.attributes.cost import count_macs, count_parameters
from features.attributes.metadata import AttributeMetadata
from features.attributes.model import AttributeModel
from features.attributes.network import AttributeNetwork
from features.attributes.onnx_export import to_onnx
from features.attributes.onnx_network import INPUT, OUTPUT

N_OUTPUTS = 22
PEERS = {"resnet50": torchvision.models.resnet50, "mobilenet_v2": torchvision.models.mobilenet_v2}


def rate(n_images: int, work: Callable[[], object], *, seconds: float, clock: Callable[[], float]) -> float:
    """Images per second: after one call that does not count, best of two stretches; a longer call is a stretch by itself."""
    begun = clock()
    work()
    first = clock() - begun
    if first > seconds:
        return n_images / first
    best = 0.0
    for _ in range(2):
        begun, calls = clock(), 0
        while clock() - begun < seconds / 2 or not calls:
            work()
            calls += 1
        best = max(best, n_images * calls / (clock() - begun))
    return best


def training(network: nn.Module, n: int, size: int) -> Callable[[], None]:
    """One step of stochastic gradient descent on a batch."""
    network.train()
    network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-3, momentum=0.9)
    images = torch.rand(n, 3, size, size).contiguous(memory_format=torch.channels_last)
    labels = torch.rand(n, N_OUTPUTS)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        nn.functional.mse_loss(network(images), labels).backward()
        optimizer.step()

    return step


def fold_peer(network: nn.Module) -> nn.Module:
    """A torchvision network with its normalisations folded, by PyTorch's own tracing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch.jit says that torch.export follows it
        traced = torch.jit.trace(network.eval(), torch.zeros(1, 3, 224, 224))
        folded: nn.Module = torch.jit.freeze(traced)
    return folded


def in_torch(network: nn.Module, n: int, size: int) -> Callable[[], None]:
    """One forward pass of a network made by torchvision."""
    images = torch.rand(n, 3, size, size).contiguous(memory_format=torch.channels_last)

    def read() -> None:
        with torch.inference_mode():
            network(images)

    return read


def in_onnx_runtime(session: onnxruntime.InferenceSession, n: int, size: int) -> Callable[[], None]:
    """One forward pass in ONNX Runtime."""
    images = np.random.default_rng(0).random((n, 3, size, size), dtype=np.float32)
    return lambda: session.run([OUTPUT], {INPUT: images})


def open_session(content: bytes, threads: int) -> onnxruntime.InferenceSession:
    """A session as extraction opens it."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def export_peer(network: nn.Module, size: int) -> bytes:
    """A torchvision network as ONNX, as ours are exported."""
    program = torch.onnx.export(
        network.eval(),
        (torch.zeros(2, 3, size, size),),
        input_names=[INPUT],
        output_names=[OUTPUT],
        dynamic_shapes=({0: torch.export.Dim("n")},),
        opset_version=18,
        dynamo=True,
        external_data=False,
        verbose=False,
    )
    if program is None:
        raise ValueError("Expected PyTorch to export the network, got nothing.")
    content: bytes = program.model_proto.SerializeToString()
    return content


def networks(scale: float, size: int) -> Iterator[tuple[str, nn.Module, Callable[[int], Callable[[], object]], bytes]]:
    """Name, network to train, maker of one reading in PyTorch, ONNX file."""
    for unit in registered_units():
        network = build(unit, scale)
        if not isinstance(network, AttributeNetwork):
            raise TypeError(f"Expected an attribute network, got {type(network).__name__}.")
        model = AttributeModel(network, AttributeMetadata(unit=unit, scale=scale, input_size=size))

        def read(n: int, model: AttributeModel = model) -> Callable[[], object]:
            crops = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)
            return lambda: model.predict(crops, batch_size=n)

        yield f"{unit}, s = {scale:g}", network, read, to_onnx(model)
    for name, make in PEERS.items():
        peer = make(num_classes=N_OUTPUTS).to(memory_format=torch.channels_last)
        folded = fold_peer(peer)
        yield name, peer, lambda n, folded=folded: in_torch(folded, n, size), export_peer(peer, size)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scale", type=float, default=2.0)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--threads", type=int, default=0, help="0 for one a core")
    parser.add_argument("--seconds", type=float, default=2.0, help="for each number")
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 16, 64])
    parser.add_argument(
        "--processor-time", action="store_true", help="seconds of one thread's processor, not of the clock"
    )
    asked = parser.parse_args()
    if asked.processor_time and asked.threads != 1:
        parser.error("Expected --threads 1 with --processor-time, got another number.")
    clock = time.process_time if asked.processor_time else time.perf_counter
    threads = asked.threads or os.cpu_count() or 1
    torch.set_num_threads(threads)
    print(f"{platform.machine()}, {threads} threads, torch {torch.__version__}, onnxruntime {onnxruntime.__version__}")
    print(
        f"{asked.size}x{asked.size} pixels, images/s{' of processor time' * asked.processor_time} at a batch of "
        f"{', '.join(map(str, asked.batches))}; load of the machine before: {os.getloadavg()[0]:.1f}\n"
    )
    columns = ["training", "inference, PyTorch", "inference, ONNX Runtime"]
    print("| network | parameters | G multiply-accumulates | " + " | ".join(columns) + " |")
    print("|" + "---|" * (3 + len(columns)))
    for name, network, read, content in networks(asked.scale, asked.size):
        session = open_session(content, threads)
        macs = count_macs(network, input_size=asked.size) / 1e9
        row = [name, f"{count_parameters(network):,}", f"{macs:.3f}"]
        makers: list[Callable[[int], Callable[[], object]]] = [
            lambda n, network=network: training(network, n, asked.size),  # type: ignore[misc]
            read,
            lambda n, session=session: in_onnx_runtime(session, n, asked.size),  # type: ignore[misc]
        ]
        for make in makers:
            rates = (rate(n, make(n), seconds=asked.seconds, clock=clock) for n in asked.batches)
            row.append(" / ".join(f"{value:.3g}" for value in rates))
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    main()
