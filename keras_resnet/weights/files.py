"""Files of weights: safetensors, npz, HDF5 and torch files become named arrays; arrays become safetensors or HDF5.

What a file is, is decided by its first bytes, never by its name. Nothing is unpickled and no archive is extracted:
torch's own files go through `torch.load(weights_only=True)`, and only where torch is 2.10 or newer
(CVE-2025-32434, CVE-2026-24747).
"""

import hashlib
import io
import json
import math
import os
import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_resnet.atomic import replacing
from keras_resnet.weights.errors import WeightsError

Arrays = dict[str, np.ndarray]

_LARGEST_HEADER = 100_000_000  # of a safetensors file, as its specification limits it
_LARGEST_RATIO = 100  # unpacked / packed bytes: weights hardly compress, bombs do
_DIGEST = "sha256"  # key in the metadata of the safetensors files that this package writes
# the order in which Keras stores the variables of a layer, by their number
_CONVOLUTION, _GROUP_NORM = ("kernel", "bias"), ("gamma", "beta")
_BATCH_NORM = ("gamma", "beta", "moving_mean", "moving_variance")


def read_arrays(path: str | os.PathLike[str], sha256: str | None = None) -> Arrays:
    """Read a file of weights.

    Args:
        path: A `.safetensors`, `.npz`, Keras `.h5` or `.weights.h5`, or torch `.pth`, `.th`, `.pt` file. The name is
            not looked at.
        sha256: Expected SHA-256 of the whole file in hexadecimal; checked before anything is read (None: not checked).

    Returns:
        Arrays by name as the file has them: torch's keys, npz keys, `layer/variable` for Keras files; wrappers
        (`state_dict`, `state_dict_ema`, `model`, `module.`) are taken off, float16 and bfloat16 are widened to float32.

    Raises:
        WeightsError: for a file that is missing, damaged, hostile or of no known kind; the message names it.
    """
    path = Path(path)
    if not path.is_file():
        raise WeightsError(f"{path}: {'this is a folder' if path.is_dir() else 'there is no such file'}.")
    if sha256 is not None:
        check_sha256(path, sha256)
    reader = _reader(path)
    try:
        arrays = reader(path)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from None
    except Exception as error:  # readers of three libraries, fed with anything
        raise WeightsError(f"{path}: damaged or truncated ({type(error).__name__}: {error}).") from error
    if not arrays:
        raise WeightsError(f"{path}: holds no arrays.")
    return {_without_prefix(name): _widened(array) for name, array in arrays.items()}


def check_sha256(path: Path, expected: str) -> None:
    """Raise WeightsError unless the file has this SHA-256."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected.lower():
        raise WeightsError(f"{path}: SHA-256 is {found}, expected {expected}: the file is damaged or another one.")


def write_safetensors(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray], **metadata: str) -> None:
    """Write arrays, with their SHA-256 in the metadata so that `read_arrays` notices a flipped bit; atomically."""
    from safetensors.numpy import save

    contiguous = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(save(contiguous, metadata={**metadata, _DIGEST: _digest(contiguous)}))


def write_legacy_h5(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write `layer/variable` arrays as a Keras `.h5` weights file, layers in the order given; atomically."""
    import h5py

    layers: dict[str, list[str]] = {}
    for name in arrays:
        layers.setdefault(name.split("/")[0], []).append(name)
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        file.attrs["backend"], file.attrs["keras_version"] = b"tensorflow", b"3"
        for layer, names in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name in names:
                group[name] = arrays[name]
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(buffer.getvalue())


def _reader(path: Path) -> Callable[[Path], Arrays]:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(16)
    if start.startswith(b"\x89HDF\r\n\x1a\n"):
        return _read_h5
    if start.startswith(b"PK\x03\x04"):
        return _read_zip
    # safetensors begins with the length of its JSON header, whose first byte may be that of a pickle
    if start[8:9] == b"{" and (int.from_bytes(start[:8], "little") <= size or start[:1] != b"\x80"):
        return _read_safetensors
    if re.match(rb"\x80[\x02-\x05]\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", start, re.DOTALL):  # torch before its zip files
        return _read_torch
    if start.startswith(b"\x80"):
        raise WeightsError(f"{path}: this is a Python pickle, which can run any code when it is loaded; refused.")
    raise WeightsError(f"{path}: neither safetensors, npz, HDF5 nor a torch file ({size} bytes, beginning {start!r}).")


def _read_safetensors(path: Path) -> Arrays:
    from safetensors import deserialize

    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > min(_LARGEST_HEADER, size - 8):
            raise WeightsError(f"the header claims {length:,} bytes in a file of {size:,}; truncated or forged.")
        header = json.loads(file.read(length))
        file.seek(0)
        content = file.read()
    arrays = {name: _from_bytes(entry) for name, entry in deserialize(content)}  # checks offsets, shapes and sizes
    expected = header.get("__metadata__", {}).get(_DIGEST)
    if expected is not None and _digest(arrays) != expected:
        raise WeightsError("the arrays do not have the SHA-256 that the file states: it is damaged.")
    return arrays


def _from_bytes(entry: dict[str, Any]) -> np.ndarray:
    if entry["dtype"] == "BF16":
        return _from_bfloat16(np.frombuffer(entry["data"], "<u2")).reshape(entry["shape"])
    kinds = {"F": "<f", "I": "<i", "U": "<u"}
    kind, bits = entry["dtype"][:1], entry["dtype"][1:]
    if kind not in kinds or not bits.isdigit() or int(bits) < 8 or (kind == "F" and int(bits) < 16):
        raise WeightsError(f"holds an array of type {entry['dtype']}, which is not one of weights.")
    return np.frombuffer(entry["data"], f"{kinds[kind]}{int(bits) // 8}").reshape(entry["shape"])


def _from_bfloat16(halves: np.ndarray) -> np.ndarray:
    """A bfloat16 is the upper half of a float32."""
    return (halves.astype("<u4") << 16).view("<f4")


def _digest(arrays: Mapping[str, np.ndarray]) -> str:
    """SHA-256 over the names, shapes and bytes of arrays."""
    digest = hashlib.sha256()
    for name in sorted(arrays):
        array = arrays[name]
        digest.update(f"{name} {array.dtype.str} {array.shape}\n".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()


def _read_zip(path: Path) -> Arrays:
    """A zip file is told by its members: npz, torch or a `.keras` model."""
    with zipfile.ZipFile(path) as archive:
        members = archive.infolist()
    names = [member.filename for member in members]
    if any(member.file_size > _LARGEST_RATIO * max(member.compress_size, 1024) for member in members):
        raise WeightsError(f"unpacks to more than {_LARGEST_RATIO} times its size; refused.")
    if any(name.endswith("/data.pkl") for name in names):
        return _read_torch(path)
    if "config.json" in names:
        raise WeightsError(
            "this is a .keras model, whose configuration names the code to run; refused. "
            "Open it with keras.saving.load_model if you trust it, and save_weights."
        )
    if not names or not all(name.endswith(".npy") for name in names):
        raise WeightsError(f"a zip file that is neither npz nor torch's, holding {names[:3]}.")
    return _read_npz(path)


def _read_npz(path: Path) -> Arrays:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            _check_npy(archive, member)
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _check_npy(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """Refuse an array whose header claims another size than it has, before memory is taken for it."""
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
        if dtype.hasobject:
            raise WeightsError(f"{member.filename} holds Python objects, which need unpickling; refused.")
        if math.prod(shape) * dtype.itemsize != member.file_size - file.tell():
            raise WeightsError(f"{member.filename} claims the shape {shape} and has {member.file_size:,} bytes.")


def _read_torch(path: Path) -> Arrays:
    if not _torch_is_safe():
        raise WeightsError(
            "a torch file is a pickle; it is read only through torch >= 2.10, with weights_only=True. Install that "
            "(pip install 'keras-resnet-zoo[torch]'), or convert the file where torch is: python -c \"import torch, "
            "safetensors.torch as s; d = torch.load('FILE', map_location='cpu', weights_only=True); "
            "s.save_file({k: v.contiguous() for k, v in d.get('state_dict', d).items()}, 'FILE.safetensors')\""
        )
    import torch

    loaded = torch.load(path, map_location="cpu", weights_only=True)
    return {str(name): _from_torch(value) for name, value in _unwrapped(loaded).items() if torch.is_tensor(value)}


def _torch_is_safe() -> bool:
    from importlib.metadata import PackageNotFoundError, version

    try:
        major, minor = re.findall(r"\d+", version("torch"))[:2]
    except PackageNotFoundError:
        return False
    return (int(major), int(minor)) >= (2, 10)


def _unwrapped(loaded: Any) -> dict[str, Any]:
    """The state dict inside a training checkpoint; averaged weights (EMA) before raw ones, as timm prefers them."""
    for key in ("state_dict_ema", "model_ema", "state_dict", "model"):
        if isinstance(loaded, dict) and isinstance(loaded.get(key), dict):
            return _unwrapped(loaded[key])
    if not isinstance(loaded, dict):
        raise WeightsError(f"holds a {type(loaded).__name__}, not a dictionary of tensors.")
    return loaded


def _from_torch(tensor: Any) -> np.ndarray:
    return (tensor.float() if tensor.is_floating_point() else tensor).detach().numpy()


def _read_h5(path: Path) -> Arrays:
    import h5py

    size = path.stat().st_size
    with h5py.File(path, "r") as file:
        datasets = dict(_datasets(file, "", size))
        if "layer_names" in file.attrs or "model_weights" in file:
            return _legacy(datasets)
        return _modern(file, datasets)


def _datasets(group: Any, prefix: str, file_size: int) -> Iterator[tuple[str, Any]]:
    """Every dataset of this very file: links to other files or places are refused, as in Keras (CVE-2026-1669)."""
    import h5py

    for name in group:
        if not isinstance(group.get(name, getlink=True), h5py.HardLink):
            raise WeightsError(f"{prefix}{name} is a link, not a dataset; refused.")
        item = group[name]
        if isinstance(item, h5py.Group):
            yield from _datasets(item, f"{prefix}{name}/", file_size)
            continue
        if item.external or item.is_virtual:
            raise WeightsError(f"{prefix}{name} lies in another file; refused.")
        if item.dtype.hasobject or item.nbytes > _LARGEST_RATIO * file_size:
            raise WeightsError(f"{prefix}{name} claims the shape {item.shape} in a file of {file_size:,} bytes.")
        yield f"{prefix}{name}", item


def _legacy(datasets: dict[str, Any]) -> Arrays:
    """`[model_weights/]layer/.../layer/kernel:0` to `layer/kernel`; a whole model's optimizer is left out."""
    arrays: Arrays = {}
    for name, dataset in datasets.items():
        parts = name.removeprefix("model_weights/").split("/")
        if parts[0] not in ("optimizer_weights", "top_level_model_weights"):
            _add(arrays, f"{parts[-2]}/{parts[-1].split(':')[0]}", dataset[()])
    return arrays


def _modern(file: Any, datasets: dict[str, Any]) -> Arrays:
    """`layers/conv2d_3/vars/0`, where the group `vars` carries the layer's name, to `layer/kernel`."""
    groups: dict[str, list[Any]] = {}
    for name in datasets:
        path, _, index = name.rpartition("/")
        if path.endswith("vars") and index.isdigit() and not path.startswith("optimizer"):
            groups.setdefault(path, []).append(name)
    arrays: Arrays = {}
    for path, names in groups.items():
        layer = file[path].attrs.get("name")
        if layer is None:
            raise WeightsError(f"{path} does not say which layer it belongs to: written by a Keras before 3.7.")
        ordered = sorted(names, key=lambda name: int(name.rpartition("/")[2]))
        for variable, name in zip(_variables([datasets[name] for name in ordered]), ordered, strict=True):
            _add(arrays, f"{layer}/{variable}", datasets[name][()])
    return arrays


def _variables(values: list[Any]) -> tuple[str, ...]:
    """Names of a layer's variables, which Keras stores without: told by their number and rank."""
    if values[0].ndim > 1 and len(values) <= 2:
        return _CONVOLUTION[: len(values)]
    if all(value.ndim == 1 for value in values) and len(values) in (2, 4):
        return _GROUP_NORM if len(values) == 2 else _BATCH_NORM
    return tuple(str(index) for index in range(len(values)))


def _add(arrays: Arrays, name: str, array: np.ndarray) -> None:
    if name in arrays:
        raise WeightsError(f"{name} occurs twice.")
    arrays[name] = array


def _without_prefix(name: str) -> str:
    """Names without what DataParallel (`module.`) and torch.compile (`_orig_mod.`) put before them."""
    while name.startswith(("module.", "_orig_mod.")):
        name = name.partition(".")[2]
    return name


def _widened(array: np.ndarray) -> np.ndarray:
    return array.astype(np.float32) if array.dtype.kind == "f" and array.itemsize < 4 else array
