"""ONNX exports and authors' checkpoints as files: written, refused, and used by extraction like any other weights."""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from safetensors.torch import save_file

from features import facs
from features.attributes import build
from features.attributes.authors_layout import released_slots
from features.attributes.metadata import AttributeMetadata
from features.attributes.model import AttributeModel, to_checkpoint
from features.attributes.network import AttributeNetwork
from features.attributes.onnx_export import PARITY_BATCHES, PARITY_TOLERANCE
from features.faces.alignment import CROP_SCALE
from features.synthetic.cohort import plan_cohort
from tasks.attribute_checkpoints import checkpoint_is_demo, load_model, read_strings
from tasks.attribute_export import export_to_onnx, import_authors_checkpoint
from tasks.errors import InvalidInputError, WeightsError
from tasks.extraction_jobs import ExtractionJob, run_job
from tasks.provenance import read_sidecar, sha256_file
from tasks.recordings import SessionVideo
from tasks.rendering import encode_video, render_participant_frames
from tasks.settings import Settings
from tasks.step_plans import ExtractionSettings
from tasks.tables import read_table
from tasks.weights import load_attribute_model, locate, refuse_demo_weights

SIGNAL_TOLERANCE = 2e-5
"""Two orders of single-precision additions in some 100 layers; measured 5e-7 on the demo weights."""


def write_checkpoint(path: Path, unit: str = "mobilenet", *, seed: int = 0, **changes: object) -> Path:
    """A checkpoint with fresh weights at a small size."""
    torch.manual_seed(seed)
    metadata = AttributeMetadata(
        unit=unit, scale=0.5, input_size=64, alignment_scale=CROP_SCALE, training_data=("noise",), demo=True
    )
    metadata = replace(metadata, **changes)
    network = build(unit, 0.5, n_aus=len(metadata.aus), n_expressions=len(metadata.expressions))
    assert isinstance(network, AttributeNetwork)
    torch.nn.init.normal_(network.predict.weight, std=0.5)
    tensors, strings = to_checkpoint(AttributeModel(network, metadata))
    save_file(tensors, path, metadata=strings)
    return path


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's folder with a recording, a checkpoint of each unit and its export; EESP with the demo weights."""
    place = tmp_path_factory.mktemp("exports")
    encode_video(place / "clip.mp4", list(render_participant_frames(plan_cohort(1, seed=1)[0], seconds=0.5)), rate=24)
    shutil.copyfile(locate("demo-attributes", "attributes").path, place / "eesp.safetensors")
    for unit in ("bottleneck", "mobilenet"):
        write_checkpoint(place / f"{unit}.safetensors", unit)
    for unit in ("bottleneck", "eesp", "mobilenet"):
        done = export_to_onnx(place / f"{unit}.safetensors", threads=1)
        assert done.path == place / f"{unit}.onnx"
        assert done.parity.batch_sizes == PARITY_BATCHES
        assert done.parity.worst < SIGNAL_TOLERANCE < PARITY_TOLERANCE
    return place


def extract(folder: Path, weights: str, output: Path) -> Path:
    settings = Settings()
    sections = ExtractionSettings(
        settings.video,
        settings.detection.model_copy(update={"width": 320}),
        settings.target,
        settings.quality,
        settings.attributes.model_copy(update={"weights": weights}),
    )
    job = ExtractionJob(
        video=SessionVideo(participant_id="001", session="", task="clip", path=folder / "clip.mp4"),
        video_sha256=sha256_file(folder / "clip.mp4"),
        rendered=True,
        output=output,
        settings=sections,
        weights=(locate("demo-retinaface", "detector"), locate(weights, "attributes", study_folder=folder)),
        device="auto",
        threads=1,
    )
    assert run_job(job) == "missing"
    assert run_job(job) is None
    return output


@pytest.mark.parametrize("unit", ["bottleneck", "eesp", "mobilenet"])
def test_extraction_reads_the_same_from_either_file(folder: Path, tmp_path: Path, unit: str) -> None:
    torch_table = read_table(extract(folder, f"{unit}.safetensors", tmp_path / "torch.parquet"))
    path = extract(folder, f"{unit}.onnx", tmp_path / "onnx.parquet")
    onnx_table = read_table(path)
    assert torch_table.columns.tolist() == onnx_table.columns.tolist()
    assert torch_table["valid"].sum() >= 10
    signals = list(facs.frame_signals())
    np.testing.assert_allclose(onnx_table[signals], torch_table[signals], rtol=0, atol=SIGNAL_TOLERANCE)
    rest = [name for name in torch_table.columns if name not in signals]
    assert onnx_table[rest].equals(torch_table[rest])
    sidecar = read_sidecar(path)
    assert sidecar is not None
    assert sidecar["facts"]["demo_weights"]
    assert sidecar["weights"][unit] == sha256_file(folder / f"{unit}.onnx")


def test_the_export_carries_the_metadata_and_nothing_of_the_code(folder: Path) -> None:
    strings = read_strings(folder / "eesp.onnx")
    assert AttributeMetadata.from_strings(strings) == AttributeMetadata.from_strings(
        read_strings(folder / "eesp.safetensors")
    )
    content = (folder / "eesp.onnx").read_bytes()
    assert len(content) < 1.05 * (folder / "eesp.safetensors").stat().st_size
    assert b"features.attributes" not in content
    proto = onnx.load_from_string(content)
    onnx.checker.check_model(proto, full_check=True)
    assert proto.graph.input[0].type.tensor_type.shape.dim[0].dim_param == "n"


def test_an_export_is_the_same_every_time(folder: Path, tmp_path: Path) -> None:
    again = export_to_onnx(folder / "mobilenet.safetensors", tmp_path / "again.onnx", threads=1).path
    assert sha256_file(again) == sha256_file(folder / "mobilenet.onnx")


def test_both_runtimes_show_one_interface(folder: Path) -> None:
    models = [load_attribute_model(locate(f"eesp{suffix}", "attributes", study_folder=folder), device="cpu", threads=1)
              for suffix in (".safetensors", ".onnx")]  # fmt: skip
    assert [model.runtime for model in models] == ["torch", "onnxruntime"]
    assert models[0].metadata == models[1].metadata
    assert models[0].layout == models[1].layout
    crops = np.random.default_rng(0).integers(0, 256, (3, 224, 224, 3), dtype=np.uint8)
    read = [model.predict(crops, batch_size=2) for model in models]
    np.testing.assert_allclose(read[0], read[1], rtol=0, atol=SIGNAL_TOLERANCE)
    with pytest.raises(ValueError, match="Expected a model in PyTorch, got one in ONNX Runtime"):
        to_checkpoint(models[1])


def test_demo_exports_are_refused_on_people_too(folder: Path) -> None:
    located = locate("eesp.onnx", "attributes", study_folder=folder)
    assert located.demo
    assert located.sha256 == hashlib.sha256((folder / "eesp.onnx").read_bytes()).hexdigest()
    with pytest.raises(WeightsError, match="eesp were trained on rendered faces"):
        refuse_demo_weights([located], rendered=False, allowed=False)


def edit(source: Path, target: Path, change) -> Path:
    proto = onnx.load(source)
    change(proto)
    onnx.save(proto, target)
    return target


def set_string(proto: onnx.ModelProto, key: str, value: str) -> None:
    next(item for item in proto.metadata_props if item.key == key).value = value


def poison(proto: onnx.ModelProto) -> None:
    tensor = proto.graph.initializer[0]
    values = onnx.numpy_helper.to_array(tensor).copy()
    values.flat[0] = np.nan
    tensor.CopyFrom(onnx.numpy_helper.from_array(values, tensor.name))


def point_elsewhere(proto: onnx.ModelProto) -> None:
    tensor = proto.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../participants.tsv")


def fix_batch(proto: onnx.ModelProto) -> None:
    for item in (proto.graph.input[0], proto.graph.output[0]):
        item.type.tensor_type.shape.dim[0].dim_value = 1


CHANGES = {
    "newer format": (lambda p: set_string(p, "format", "facetrace-attributes-99"), "newer"),
    "fewer outputs": (
        lambda p: set_string(p, "aus", json.dumps(["AU01"])),
        r"outputs \(64, 11\).*got one of \(64, 22\)",
    ),
    "other size": (lambda p: set_string(p, "input_size", "96"), r"\(96, 22\).*got one of \(64, 22\)"),
    "no metadata": (lambda p: p.ClearField("metadata_props"), "got None"),
    "undefined weights": (poison, "undefined ones"),
    "weights elsewhere": (point_elsewhere, "all weights inside the file"),
    "foreign operator": (lambda p: setattr(p.graph.node[0], "domain", "com.example"), "some of com.example"),
    "one face only": (fix_batch, "any number of faces, got one for 1"),
    "other names": (lambda p: setattr(p.graph.node[-1], "op_type", "Nonesuch"), "ONNX Runtime can run"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_unfit_onnx_files_are_refused(folder: Path, tmp_path: Path, case: str) -> None:
    change, message = CHANGES[case]
    path = edit(folder / "mobilenet.onnx", tmp_path / "network.onnx", change)
    with pytest.raises(WeightsError, match=message) as error:
        load_model(path, threads=1)
    assert "network.onnx" in str(error.value)


def test_files_that_are_no_checkpoints_are_refused(tmp_path: Path) -> None:
    for suffix, message in ((".onnx", "Expected an ONNX model"), (".safetensors", "Expected a safetensors checkpoint")):
        path = tmp_path / f"text{suffix}"
        path.write_bytes(b"this is no network")
        with pytest.raises(WeightsError, match=message):
            checkpoint_is_demo(path)
        with pytest.raises(WeightsError, match=f"text{suffix}"):
            load_model(path)


def test_a_gpu_that_onnx_runtime_lacks_is_named(folder: Path) -> None:
    from features.attributes.onnx_network import cuda_is_available

    if cuda_is_available():
        pytest.skip("this ONNX Runtime has a GPU")
    with pytest.raises(WeightsError, match="install onnxruntime-gpu"):
        load_model(folder / "mobilenet.onnx", device="cuda")


@pytest.mark.gpu
def test_a_gpu_reads_as_the_processor_does(folder: Path) -> None:
    """Convolutions in TF32 keep 10 bits of each factor: a thousandth of a signal."""
    from features.attributes.onnx_network import cuda_is_available

    if not cuda_is_available():
        pytest.skip("this ONNX Runtime has no GPU: onnxruntime-gpu is not installed")
    crops = np.random.default_rng(0).integers(0, 256, (5, 224, 224, 3), dtype=np.uint8)
    read = [load_model(folder / "eesp.onnx", device=device).predict(crops) for device in ("cpu", "cuda")]
    np.testing.assert_allclose(read[0], read[1], rtol=0, atol=5e-3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"aus": ("AU12", "AU99", "smile")}, "does not know: AU99, smile"),
        ({"expressions": ("neutral", "happy", "bored")}, r"without sad, .* and with bored"),
    ],
)
def test_another_vocabulary_is_refused_before_extraction(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    write_checkpoint(tmp_path / "other.safetensors", **changes)
    assert load_model(tmp_path / "other.safetensors").metadata.aus
    with pytest.raises(WeightsError, match=message):
        load_attribute_model(locate("other.safetensors", "attributes", study_folder=tmp_path), device="cpu")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"alignment_mode": "box"}, "detection.mode aligned, got other, trained on crops of mode box"),
        ({"alignment_scale": 1.0}, r"aligned at scale 0\.7, got other, trained at 1"),
    ],
)
def test_crops_that_are_cut_otherwise_are_refused(
    folder: Path, tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    write_checkpoint(tmp_path / "other.safetensors", **changes)
    shutil.copyfile(folder / "clip.mp4", tmp_path / "clip.mp4")
    with pytest.raises(WeightsError, match=message):
        extract(tmp_path, "other.safetensors", tmp_path / "table.parquet")


def test_an_export_that_differs_is_not_written(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong constant in the export: the weights of the last layer are 1 % too large."""
    import tasks.attribute_export as module

    def shifted(model: AttributeModel) -> bytes:
        proto = onnx.load(folder / "mobilenet.onnx")
        weight = next(item for item in proto.graph.initializer if item.name == proto.graph.node[-1].input[1])
        values = onnx.numpy_helper.to_array(weight) * np.float32(1.01)
        weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
        content: bytes = proto.SerializeToString()
        return content

    monkeypatch.setattr(module, "to_onnx", shifted)
    with pytest.raises(
        WeightsError, match=r"within 0\.0001 of a signal, got a difference of 0\.\d+.*Nothing was written"
    ):
        export_to_onnx(folder / "mobilenet.safetensors", tmp_path / "wrong.onnx", threads=1)
    assert list(tmp_path.iterdir()) == []


def test_wrong_names_of_exports_are_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"ends in \.safetensors, got eesp\.onnx"):
        export_to_onnx(folder / "eesp.onnx")
    with pytest.raises(InvalidInputError, match=r"ends in \.onnx, got out\.bin"):
        export_to_onnx(folder / "eesp.safetensors", tmp_path / "out.bin")
    with pytest.raises(InvalidInputError, match="none.safetensors, it is missing"):
        export_to_onnx(tmp_path / "none.safetensors")


@pytest.fixture(scope="module")
def authors_state() -> dict[str, torch.Tensor]:
    """A state dict with the tensors of the authors' layout under numbers, as if saved from DataParallel."""
    torch.manual_seed(0)
    network = build("mobilenet", 2)
    assert isinstance(network, AttributeNetwork)
    state = network.state_dict()
    slots = released_slots(network)
    return {
        f"module.layer{i}.{slot.kind}": torch.ones(slot.shape) if slot.dead else state[slot.name]
        for i, slot in enumerate(slots)
    }


@pytest.mark.parametrize("wrapped", [False, True])
def test_an_authors_checkpoint_becomes_ours(
    authors_state: dict[str, torch.Tensor], tmp_path: Path, wrapped: bool
) -> None:
    torch.save({"state_dict": authors_state, "epoch": 30} if wrapped else authors_state, tmp_path / "authors.pth")
    metadata = import_authors_checkpoint(tmp_path / "authors.pth", tmp_path / "ours.safetensors", unit="mobilenet")
    model = load_model(tmp_path / "ours.safetensors")
    assert model.metadata == metadata
    assert (metadata.alignment_mode, metadata.training_data) == ("enlarged_box", ("AffectNet", "EmotioNet"))
    assert not checkpoint_is_demo(tmp_path / "ours.safetensors")
    torch.manual_seed(0)
    fresh = build("mobilenet", 2).state_dict()
    assert all(torch.equal(value, fresh[name]) for name, value in model.network.state_dict().items())


def test_unfit_authors_checkpoints_are_refused(authors_state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    path, out = tmp_path / "authors.pth", tmp_path / "ours.safetensors"
    torch.save(authors_state, path)
    with pytest.raises(WeightsError, match=r"authors\.pth is no eesp network of width scale 2"):
        import_authors_checkpoint(path, out, unit="eesp")
    torch.save({"epoch": 3, "note": "text"}, path)
    with pytest.raises(WeightsError, match="entries that are none: epoch, note"):
        import_authors_checkpoint(path, out, unit="mobilenet")
    torch.save(torch.nn.Linear(1, 1), path)  # a pickled object is code: weights_only refuses it
    with pytest.raises(WeightsError, match=r"Expected a PyTorch state dict in authors\.pth"):
        import_authors_checkpoint(path, out, unit="mobilenet")
    assert not out.exists()


@pytest.mark.parametrize("text", ["dead = [", "dead = []", "[tensors]\na = 1", "other = 1\n[tensors]\na = 'b'"])
def test_a_map_that_is_none_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "map.toml").write_text(text)
    (tmp_path / "authors.pth").write_bytes(b"")
    with pytest.raises(InvalidInputError, match=r"map\.toml"):
        import_authors_checkpoint(
            tmp_path / "authors.pth", tmp_path / "o.safetensors", unit="eesp", key_map=tmp_path / "map.toml"
        )


def test_a_map_of_names_is_used(authors_state: dict[str, torch.Tensor], tmp_path: Path) -> None:
    network = build("mobilenet", 2)
    assert isinstance(network, AttributeNetwork)
    slots = released_slots(network)
    named = [f"'layer{i}.{slot.kind}' = '{slot.name}'" for i, slot in enumerate(slots) if not slot.dead]
    dead = [f"layer{i}.{slot.kind}" for i, slot in enumerate(slots) if slot.dead]
    (tmp_path / "map.toml").write_text(f"dead = {json.dumps(dead)}\n[tensors]\n" + "\n".join(named) + "\n")
    torch.save(dict(reversed(authors_state.items())), tmp_path / "authors.pth")
    with pytest.raises(WeightsError, match="tensor 1 should be"):
        import_authors_checkpoint(tmp_path / "authors.pth", tmp_path / "o.safetensors", unit="mobilenet")
    import_authors_checkpoint(
        tmp_path / "authors.pth", tmp_path / "o.safetensors", unit="mobilenet", key_map=tmp_path / "map.toml"
    )
    assert (tmp_path / "o.safetensors").exists()
