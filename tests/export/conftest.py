"""A small network with lively weights, image files, and an export of it."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_resnet as kr
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export.saved_model import export_saved_model
from tests.conftest import lively

LABELS = ["cat", "dog", "newt", "owl"]
PREPROCESSING = Preprocessing(size=(16, 16), crop_pct=0.8)


def picture(seed=0, height=20, width=24, mode="RGB"):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image, kind="PNG", **settings):
    buffer = io.BytesIO()
    image.save(buffer, kind, **settings)
    return buffer.getvalue()


def ask(serve, contents):
    answer = serve(image_bytes=tf.constant(contents, tf.string, shape=[len(contents)]))
    return {name: value.numpy() for name, value in answer.items()}


@pytest.fixture(scope="session")
def model():
    keras.utils.set_random_seed(1)
    return lively(kr.create_model("cifar_resnet20", depths=(1, 1, 1), classes=4, input_shape=(16, 16, 3)))


@pytest.fixture(scope="session")
def folder(model, tmp_path_factory):
    parent = tmp_path_factory.mktemp("export")
    return export_saved_model(model, parent, preprocessing=PREPROCESSING, labels=LABELS, top_k=2)


@pytest.fixture(scope="session")
def exported(folder):
    return tf.saved_model.load(str(folder))


@pytest.fixture(scope="session")
def serve(exported):
    return exported.signatures["serving_default"]
