"""The real download paths, against a server on loopback that behaves and misbehaves."""

import hashlib
import http.server
import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import keras_resnet as kr
from keras_resnet.weights import files, hub
from keras_resnet.weights.tags import OPEN_LICENCES, TAGS
from keras_resnet.zoo import ZOO

TAG = "resnet18.a1_in1k"


class Server:
    """Serves one content under every path, as huggingface.co serves a large file."""

    def __init__(self, content: bytes) -> None:
        self.content, self.sha256 = content, hashlib.sha256(content).hexdigest()
        self.fault = ""
        self.requests: list[tuple[str, str, str]] = []  # method, path, range
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_HEAD(self) -> None:
                self.answer(False)

            def do_GET(self) -> None:
                self.answer(True)

            def answer(self, body: bool) -> None:
                if "/api/" not in self.path:  # huggingface_hub asks about itself there
                    owner.requests.append((self.command, self.path, self.headers.get("Range", "")))
                if owner.fault == "404":
                    self.send_error(404)
                    return
                content = owner.content
                if owner.fault == "flipped":
                    content = content[:-1] + bytes([content[-1] ^ 1])
                start = int((re.findall(r"bytes=(\d+)-", self.headers.get("Range", "")) or [0])[0])
                self.send_response(206 if start else 200)
                self.send_header("ETag", f'"{owner.sha256}"')
                self.send_header("X-Linked-Etag", f'"{owner.sha256}"')
                self.send_header("X-Linked-Size", str(len(content)))
                self.send_header("X-Repo-Commit", "0" * 40)
                self.send_header("Accept-Ranges", "bytes")
                if start:
                    self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
                self.send_header("Content-Length", str(len(content) - start))
                self.end_headers()
                if body:
                    cut = owner.fault == "truncated" or (owner.fault == "truncated once" and not start)
                    self.wfile.write(content[start : len(content) // 2 if cut else None])
                self.close_connection = True

            def log_message(self, *arguments: Any) -> None:
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"
        threading.Thread(target=self.http.serve_forever, daemon=True).start()

    def downloads(self) -> int:
        return sum(method == "GET" for method, _, _ in self.requests)


@pytest.fixture
def serve(monkeypatch: Any, tmp_path: Path) -> Iterator[Any]:
    """Start a server for a content; both download libraries are pointed at it and at empty caches."""
    constants = pytest.importorskip("huggingface_hub.constants")
    servers = []

    def start(content: bytes) -> Server:
        server = Server(content)
        servers.append(server)
        monkeypatch.setattr(constants, "ENDPOINT", server.url)
        template = constants.HUGGINGFACE_CO_URL_TEMPLATE
        monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", re.sub("^https?://[^/]*", server.url, template))
        monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
        monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
        monkeypatch.setattr(constants, "DOWNLOAD_CHUNK_SIZE", 65_536)  # what has arrived is kept in steps of this
        monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.setenv(name, "127.0.0.1")
        return server

    yield start
    for server in servers:
        server.http.shutdown()
        server.http.server_close()


def small(folder: Path) -> bytes:
    files.write_safetensors(folder / "small.safetensors", {"a": np.arange(300_000, dtype="float32")})
    return (folder / "small.safetensors").read_bytes()


def cached(folder: Path) -> list[Path]:
    """Whole files of weights in either cache: no temporary ones, no metadata."""
    found = [path for path in folder.rglob("*") if path.is_file() and path.stat().st_size > 1000]
    return [path for path in found if "incomplete" not in path.name and path.name != "small.safetensors"]


def keras_tag(server: Server, monkeypatch: Any, md5: str) -> str:
    tag = "resnet50_v1.keras_in1k"
    monkeypatch.setitem(TAGS, tag, replace(TAGS[tag], url=f"{server.url}/resnet50.h5", md5=md5))
    return tag


def test_right_file_is_downloaded_once(serve: Any, tmp_path: Path, monkeypatch: Any) -> None:
    content = small(tmp_path)
    server = serve(content)
    assert hub.fetch(TAG).read_bytes() == content
    assert server.requests[0][1] == f"/timm/{TAG}/resolve/main/model.safetensors"
    assert hub.fetch(TAG).read_bytes() == content
    assert server.downloads() == 1
    tag = keras_tag(server, monkeypatch, hashlib.md5(content).hexdigest())
    assert hub.fetch(tag).read_bytes() == hub.fetch(tag).read_bytes() == content
    assert server.downloads() == 2


def test_offline_uses_what_is_there(serve: Any, tmp_path: Path, monkeypatch: Any) -> None:
    server = serve(small(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(kr.WeightsError, match="by other means"):
        hub.fetch(TAG)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    path = hub.fetch(TAG)
    requests = len(server.requests)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert hub.fetch(TAG) == path
    assert len(server.requests) == requests


@pytest.mark.parametrize("source", ["hugging face", "keras"])
@pytest.mark.parametrize("fault", ["flipped", "truncated", "404"])
def test_a_bad_file_is_never_cached(fault: str, source: str, serve: Any, tmp_path: Path, monkeypatch: Any) -> None:
    content = small(tmp_path)
    server = serve(content)
    tag = TAG if source == "hugging face" else keras_tag(server, monkeypatch, hashlib.md5(content).hexdigest())
    server.fault = fault
    with pytest.raises(kr.WeightsError, match=r"try again|Try again") as caught:
        hub.fetch(tag)
    assert tag in str(caught.value)
    assert not cached(tmp_path)
    server.fault = ""
    assert hub.fetch(tag).read_bytes() == content


def test_an_interrupted_download_is_resumed(serve: Any, tmp_path: Path) -> None:
    content = small(tmp_path)
    server = serve(content)
    server.fault = "truncated once"
    assert hub.fetch(TAG).read_bytes() == content
    kept = len(content) // 2 // 65_536 * 65_536
    assert [wanted for method, _, wanted in server.requests if method == "GET"] == ["", f"bytes={kept}-"]


def test_a_cached_file_that_went_bad_is_noticed(serve: Any, tmp_path: Path) -> None:
    server = serve(small(tmp_path))
    blob = hub.fetch(TAG).resolve()
    content = bytearray(blob.read_bytes())
    content[-5] ^= 1
    blob.chmod(0o644)
    blob.write_bytes(content)
    with pytest.raises(kr.WeightsError, match=r"SHA-256.*removed"):
        hub.fetch(TAG)
    assert hub.fetch(TAG).read_bytes() == server.content


def test_a_cache_that_leads_elsewhere_is_refused(serve: Any, tmp_path: Path, monkeypatch: Any) -> None:
    content = small(tmp_path)
    server = serve(content)
    path = hub.fetch(TAG)
    path.unlink()
    path.symlink_to(tmp_path / "small.safetensors")
    with pytest.raises(kr.WeightsError, match="leads out of the cache"):
        hub.fetch(TAG)
    tag = keras_tag(server, monkeypatch, hashlib.md5(content).hexdigest())
    target = tmp_path / "keras" / "models" / "resnet50.h5"
    target.parent.mkdir(parents=True)
    target.symlink_to(tmp_path / "small.safetensors")
    with pytest.raises(kr.WeightsError, match="symbolic link"):
        hub.fetch(tag)


def test_one_argument_gives_imagenet_weights(serve: Any, tmp_path: Path) -> None:
    """ResNet18(weights="imagenet"), its transfer to other classes and channels, and its features."""
    source = kr.create_model("resnet18")
    source.get_layer("stem_norm").moving_mean.assign(np.linspace(-1, 1, 64))
    kr.save_weights(source, tmp_path / "small.safetensors", layout="timm")
    server = serve((tmp_path / "small.safetensors").read_bytes())
    for options in ({}, {"classes": 7, "input_shape": (64, 64, 1)}, {"include_top": False}):
        model = kr.ResNet18(weights="imagenet", **options)
        assert np.array_equal(model.get_layer("stem_norm").moving_mean, source.get_layer("stem_norm").moving_mean)
    assert model.get_layer("stem_conv").kernel.shape == (7, 7, 3, 64)
    assert server.downloads() == 1
    assert hub.best_tag("resnet18") in server.requests[0][1]


def test_tags_of_other_networks_and_misspelt_ones() -> None:
    with pytest.raises(ValueError, match="resnet50"):
        kr.create_model("resnet18", weights="resnet50.tv2_in1k")
    with pytest.raises(kr.WeightsError, match="did you mean resnet18"):
        kr.create_model("resnet18", weights="resnet18.a9_in1k")
    with pytest.raises(kr.WeightsError, match="nobody publishes"):
        kr.create_model("plain18", weights="imagenet")


def test_the_table_is_sound() -> None:
    for tag, entry in TAGS.items():
        assert entry.tag == tag
        assert entry.network in ZOO
        assert entry.url.startswith("https://") != bool(entry.sha256)
        assert entry.top1 is None or 60 < entry.top1 < 90 or entry.sha256
        assert [bool(each) for each in (entry.repository, entry.md5, entry.sha256)].count(True) == 1
    classics = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnetv2_50", "resnext50_32x4d", "vgg19"]
    for network in [*classics, "resnet50_v1", "resnetv2_50_keras"]:
        entry = TAGS[hub.best_tag(network)]
        assert entry.licence in OPEN_LICENCES
        assert entry.classes == 1000


def test_keras_hashes_are_those_of_keras() -> None:
    from keras.src.applications.resnet import WEIGHTS_HASHES

    for entry in (entry for entry in TAGS.values() if entry.md5):
        name = entry.url.rpartition("/")[2].partition("_")[0]
        assert entry.md5 == WEIGHTS_HASHES[name][0], entry.tag
    assert sum(bool(entry.md5) for entry in TAGS.values()) == 6


def test_the_table_is_what_timm_carries(timm: Any) -> None:
    """Repositories, licences, classes and preprocessing; and every network of the zoo for which timm has weights."""
    for entry in (entry for entry in TAGS.values() if entry.repository):
        config = timm.models.get_pretrained_cfg(entry.tag)
        tested = (config.test_input_size or config.input_size, config.test_crop_pct or config.crop_pct)
        ours = ((3, *entry.preprocessing.size), entry.preprocessing.crop_pct)
        assert config.hf_hub_id == entry.repository, entry.tag
        assert ours in [(config.input_size, config.crop_pct), tested], entry.tag
        assert entry.preprocessing.interpolation == config.interpolation, entry.tag
        assert (entry.preprocessing.mean, entry.preprocessing.std) == (config.mean, config.std), entry.tag
        assert (entry.licence, entry.classes) == (config.license, config.num_classes), entry.tag
    for network in ZOO:
        published = [
            tag
            for tag in timm.list_pretrained(f"{network}.*")
            if (config := timm.models.get_pretrained_cfg(tag)).license and config.num_classes
        ]
        assert set(published) <= set(TAGS), network
