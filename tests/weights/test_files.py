"""Damaged and hostile files: each one clear error, and a model that is as it was."""

import io
import json
import os
import pickle
import struct
import warnings
import zipfile
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

import keras_resnet as kr
from keras_resnet.weights import files

SHAPE = (8, 8, 3)


@pytest.fixture(scope="module")
def model() -> keras.Model:
    return kr.create_model("cifar_resnet20", input_shape=SHAPE)


@pytest.fixture
def saved(model: keras.Model, tmp_path: Path) -> Path:
    kr.save_weights(model, tmp_path / "good.safetensors")
    return tmp_path / "good.safetensors"


def refused(model: keras.Model, path: Path, message: str, **options: Any) -> None:
    before = [np.array(weight) for weight in model.weights]
    with pytest.raises(kr.WeightsError, match=message) as caught:
        kr.load_weights(model, path, **options)
    assert str(path) in str(caught.value)
    assert all(np.array_equal(old, new) for old, new in zip(before, model.weights, strict=True))


class Payload:
    """What a pickle can do to whoever loads it."""

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, ("pickle-ran",))


def test_truncated(model: keras.Model, saved: Path) -> None:
    content = saved.read_bytes()
    for length in (0, 7, 200, len(content) - 1):
        saved.write_bytes(content[:length])
        refused(model, saved, "truncated|damaged|neither")


@pytest.mark.parametrize("where", [0.2, 0.5, 0.999])
def test_one_flipped_bit(where: float, model: keras.Model, saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    content[int(len(content) * where)] ^= 1
    saved.write_bytes(content)
    refused(model, saved, "SHA-256")


def test_one_flipped_bit_in_a_foreign_file_is_found_by_its_sha256(model: keras.Model, tmp_path: Path) -> None:
    import hashlib

    path = tmp_path / "foreign.npz"
    np.savez(path, **files.read_arrays(save(model, tmp_path)))
    good = hashlib.sha256(path.read_bytes()).hexdigest()
    kr.load_weights(model, path, sha256=good.upper())
    refused(model, path, "SHA-256", sha256=good.replace(good[0], "0" if good[0] != "0" else "1"))


def save(model: keras.Model, folder: Path) -> Path:
    kr.save_weights(model, folder / "own.safetensors")
    return folder / "own.safetensors"


@pytest.mark.parametrize(
    "content", [b"GIF89a" + bytes(100), b"hello, world, this is no file of weights", b"\x7fELF" + bytes(60)]
)
def test_wrong_magic(content: bytes, model: keras.Model, tmp_path: Path) -> None:
    path = tmp_path / "weights.safetensors"
    path.write_bytes(content)
    refused(model, path, "neither safetensors, npz, HDF5 nor a torch file|truncated or forged")


@pytest.mark.parametrize("protocol", [2, 4, 5])
@pytest.mark.parametrize("name", ["weights.safetensors", "weights.npz", "weights.h5", "weights.pth"])
def test_pickle_is_never_loaded(name: str, protocol: int, model: keras.Model, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / name
    path.write_bytes(pickle.dumps(Payload(), protocol=protocol))
    refused(model, path, "pickle")
    assert not Path("pickle-ran").exists()


def test_pickle_inside_torch_and_npz(model: keras.Model, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    torch = pytest.importorskip("torch", reason="torch is not installed")
    torch.save({"a": Payload()}, "zip.pth")
    torch.save({"a": Payload()}, "old.pth", _use_new_zipfile_serialization=False)
    np.savez("objects.npz", a=np.array([Payload()], dtype=object), allow_pickle=True)
    refused(model, tmp_path / "zip.pth", "damaged|weights_only")
    refused(model, tmp_path / "old.pth", "damaged|weights_only")
    refused(model, tmp_path / "objects.npz", "unpickling")
    assert not Path("pickle-ran").exists()


@pytest.mark.parametrize("version", ["2.9.1", None])
def test_torch_file_without_a_safe_torch(
    version: str | None, model: keras.Model, tmp_path: Path, monkeypatch: Any
) -> None:
    def installed(package: str) -> str:
        if version is None:
            raise PackageNotFoundError(package)
        return version

    monkeypatch.setattr("importlib.metadata.version", installed)
    path = tmp_path / "weights.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("weights/data.pkl", pickle.dumps(Payload()))
    refused(model, path, r"torch >= 2\.10.*safetensors\.torch")
    path.write_bytes(b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19." + bytes(40))  # torch before its zip files
    refused(model, path, r"torch >= 2\.10.*safetensors\.torch")


def header_file(path: Path, header: dict[str, Any], data: bytes = bytes(16), length: int | None = None) -> Path:
    text = json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


LIES = {
    "length beyond the file": ({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, 10**6),
    "length beyond everything": ({"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}, 2**63),
    "offsets beyond the file": ({"a": {"dtype": "F32", "shape": [400], "data_offsets": [0, 1600]}}, None),
    "shape that is not the size": ({"a": {"dtype": "F32", "shape": [5], "data_offsets": [0, 16]}}, None),
    "100 GB": ({"a": {"dtype": "F32", "shape": [25_000_000_000], "data_offsets": [0, 100_000_000_000]}}, None),
    "overflowing shape": ({"a": {"dtype": "F32", "shape": [2**62, 2**62], "data_offsets": [0, 16]}}, None),
    "overlapping arrays": (
        {name: {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]} for name in ("a", "b")},
        None,
    ),
    "unknown type": ({"a": {"dtype": "F1024", "shape": [4], "data_offsets": [0, 16]}}, None),
}


@pytest.mark.parametrize("lie", LIES)
def test_safetensors_header_that_lies(lie: str, model: keras.Model, tmp_path: Path) -> None:
    header, length = LIES[lie]
    refused(model, header_file(tmp_path / "lie.safetensors", header, length=length), "damaged|forged")


def test_hundred_gigabytes_in_npz(model: keras.Model, tmp_path: Path) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (25_000_000_000,)})
    with zipfile.ZipFile(tmp_path / "big.npz", "w") as archive:
        archive.writestr("a.npy", header.getvalue() + bytes(64))
    refused(model, tmp_path / "big.npz", "claims the shape")
    np.savez_compressed(tmp_path / "bomb.npz", a=np.zeros(10_000_000, np.float32))
    refused(model, tmp_path / "bomb.npz", "times its size")


def test_hostile_hdf5(model: keras.Model, tmp_path: Path) -> None:
    other = tmp_path / "secret"
    other.write_bytes(bytes(400))
    cases: dict[str, tuple[Callable[[Any], Any], str]] = {
        "big": (
            lambda file: file.create_dataset("a/vars/0", (25_000_000_000,), "f4", chunks=(1000,)),
            "claims the shape",
        ),
        "external": (
            lambda file: file.create_dataset("a", (100,), "f4", external=[(str(other), 0, 400)]),
            "another file",
        ),
        "link": (lambda file: file.__setitem__("a", h5py.ExternalLink(str(other), "/x")), "link"),
        "soft": (lambda file: file.__setitem__("a", h5py.SoftLink("/b")), "link"),
    }
    for name, (write, message) in cases.items():
        path = tmp_path / f"{name}.h5"
        with h5py.File(path, "w") as file:
            write(file)
        refused(model, path, message)
    path.write_bytes(path.read_bytes()[:100])
    refused(model, path, "damaged")


def test_keras_archive_is_refused(model: keras.Model, tmp_path: Path) -> None:
    model.save(tmp_path / "model.keras")
    refused(model, tmp_path / "model.keras", "configuration names the code")


def test_missing_and_folders(model: keras.Model, saved: Path) -> None:
    refused(model, saved.parent / "absent.safetensors", "no such file")
    assert kr.load_weights(model, saved.parent).layout == "keras_resnet"
    refused(model, saved.parent.parent, "must hold one file")
    with pytest.raises(kr.WeightsError, match=r"did you mean .*resnet50\."):
        kr.load_weights(model, "resnet50.tv3_in1k")


def test_nan_is_named(model: keras.Model, tmp_path: Path) -> None:
    arrays = files.read_arrays(save(model, tmp_path))
    arrays["stem_norm/gamma"] = np.full_like(arrays["stem_norm/gamma"], np.nan)
    files.write_safetensors(tmp_path / "nan.safetensors", arrays)
    with pytest.warns(UserWarning, match="stem_norm/gamma"):
        kr.load_weights(kr.create_model("cifar_resnet20", input_shape=SHAPE), tmp_path / "nan.safetensors")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        kr.load_weights(model, tmp_path / "own.safetensors")


@pytest.mark.parametrize("kind", ["F16", "BF16", "F64"])
def test_other_floats_are_widened(kind: str, tmp_path: Path) -> None:
    values = np.array([1.0, -2.5, 0.15625, 65504.0], np.float32)
    data = {
        "F16": values.astype("<f2").tobytes(),
        "BF16": (np.array([1.0, -2.5, 0.15625, 65280.0], "<f4").view("<u4") >> 16).astype("<u2").tobytes(),
        "F64": values.astype("<f8").tobytes(),
    }[kind]
    header = {"a": {"dtype": kind, "shape": [2, 2], "data_offsets": [0, len(data)]}}
    array = files.read_arrays(header_file(tmp_path / "a.safetensors", header, data))["a"]
    expected = np.where(values > 60000, 65280.0, values) if kind == "BF16" else values
    assert array.dtype == ("float64" if kind == "F64" else "float32")
    assert np.array_equal(array, expected.reshape(2, 2))


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "state_dict_ema", "module"])
def test_training_checkpoints_are_unwrapped(wrapper: str, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    state = {"fc.weight": torch.ones(2, 2, dtype=torch.bfloat16)}
    wrong = {"fc.weight": torch.zeros(2, 2)}
    checkpoint = {
        "state_dict": {"state_dict": state, "epoch": 3},
        "model": {"model": state, "args": {"lr": 0.1}},
        "state_dict_ema": {"state_dict_ema": state, "state_dict": wrong},
        "module": {"module.fc.weight": state["fc.weight"]},
    }[wrapper]
    torch.save(checkpoint, tmp_path / "checkpoint.pt")
    arrays = files.read_arrays(tmp_path / "checkpoint.pt")
    assert list(arrays) == ["fc.weight"]
    assert np.array_equal(arrays["fc.weight"], np.ones((2, 2), "float32"))


def test_a_checkpoint_without_tensors(model: keras.Model, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch", reason="torch is not installed")
    for content in ({"epoch": 3}, {0: {"momentum": 1.0}}, [1, 2]):
        torch.save(content, tmp_path / "odd.pth")
        refused(model, tmp_path / "odd.pth", "no arrays|not a dictionary")
    torch.save({0: torch.ones(2)}, tmp_path / "odd.pth")
    refused(model, tmp_path / "odd.pth", "none of the known layouts")


def test_saving_is_atomic(model: keras.Model, saved: Path, monkeypatch: Any) -> None:
    """A crash at the last moment leaves the old file, and nothing else."""
    before = saved.read_bytes()

    def crash(handle: int) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        kr.save_weights(model, saved)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == [saved.name]


def test_saving_replaces_a_link_and_spares_what_it_points_to(model: keras.Model, tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link.safetensors"
    target.write_text("precious")
    link.symlink_to(target)
    kr.save_weights(model, link)
    assert target.read_text() == "precious"
    assert not link.is_symlink()
