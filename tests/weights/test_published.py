"""The weights in the package are what their cards say."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import keras_resnet as kr
from keras_resnet.export.classifier import classifier
from keras_resnet.weights.tags import PUBLISHED, TAGS

OURS = [tag for tag, entry in TAGS.items() if entry.sha256]
CIFAR10 = Path(__file__).parents[3] / "shared" / "data" / "tfds"


def test_every_file_has_its_line_and_its_card():
    assert OURS and {path.stem for path in PUBLISHED.iterdir()} == set(OURS)
    assert {path.suffix for path in PUBLISHED.iterdir()} == {".json", ".safetensors"}


@pytest.mark.parametrize("tag", OURS)
def test_weights_come_by_name_with_their_labels(tag):
    entry, card = TAGS[tag], json.loads((PUBLISHED / f"{tag}.json").read_text())
    model = kr.create_model(entry.network, weights=tag)
    found = classifier(model)
    assert found.labels == tuple(card["labels"]) and found.preprocessing == entry.preprocessing
    assert model.count_params() > card["parameters"] and card["network"] == entry.network
    assert "/" not in card["command"].replace("recipes/", ""), "a path of one machine"


def test_a_damaged_file_is_refused(tmp_path, monkeypatch):
    entry = TAGS[OURS[0]]
    path = tmp_path / "damaged.safetensors"
    shutil.copy(entry.url, path)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)
    monkeypatch.setitem(TAGS, entry.tag, replace(entry, url=str(path)))
    with pytest.raises(kr.WeightsError, match="SHA-256"):
        kr.create_model(entry.network, weights=entry.tag)


@pytest.mark.slow
@pytest.mark.parametrize("tag", OURS)
def test_the_card_is_measured_again(tag):
    if not CIFAR10.is_dir():
        pytest.skip(f"CIFAR-10 is not at {CIFAR10}")
    card = json.loads((PUBLISHED / f"{tag}.json").read_text())
    command = [sys.executable, "-m", "keras_resnet.cli", "evaluate", card["network"], "--weights", tag]
    done = subprocess.run([*command, "--data", "cifar10", "--data-dir", CIFAR10], capture_output=True, text=True)
    assert f"top-1: {round(card['accuracy'] * card['test_images'])} of {card['test_images']}" in done.stdout, done
