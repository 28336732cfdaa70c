"""What the README says is so."""

import re
import runpy
import shutil
from pathlib import Path

import pytest
import tensorflow as tf

from tests.conftest import counted_by_name
from tests.peers import timm, torch, torchvision  # noqa: F401

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_networks_is_the_zoo():
    networks = runpy.run_path(str(ROOT / "docs" / "networks.py"))
    assert networks["BEGIN"] + networks["table"](counted_by_name) + networks["END"] in README


def installed(peer, request):
    try:
        return bool(request.getfixturevalue(peer))
    except pytest.skip.Exception:
        return False


@pytest.mark.slow
def test_the_examples_run(tmp_path, monkeypatch, request):
    """Every block of Python, one after the other in one namespace; those with a peer only where it is installed."""
    monkeypatch.chdir(tmp_path)
    pixels = tf.random.stateless_uniform((300, 400, 3), (0, 1), 0, 256, tf.int32)
    (tmp_path / "photo.jpg").write_bytes(tf.io.encode_jpeg(tf.cast(pixels, tf.uint8)).numpy())
    for split in ("train", "val"):
        (tmp_path / "photos" / split / "one").mkdir(parents=True)
        shutil.copy(tmp_path / "photo.jpg", tmp_path / "photos" / split / "one")
    namespace = {}
    blocks = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(blocks) >= 7
    for block in blocks:
        peers = re.findall(r"\b(torchvision|timm)\b", block)
        if all(installed(peer, request) for peer in peers):
            exec(compile(block, "README.md", "exec"), namespace)
    assert namespace["answer"]["valid"].numpy().all()
    assert next(iter(namespace["train"]))[0].shape == (64, 224, 224, 3)
    assert namespace["deeper"].output_shape == (None, 2048)


@pytest.mark.parametrize("path", re.findall(r"\]\((?!http)([^)#]+)\)", README))
def test_links_lead_somewhere(path):
    assert (ROOT / path).exists()
