"""The exported SavedModel, through its saved signature alone."""

import io

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

import keras_resnet as kr
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export.saved_model import export_saved_model

LABELS = ["cat", "dog", "newt", "owl"]
PREPROCESSING = Preprocessing(size=(16, 16), crop_pct=0.8)


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(1)
    return kr.create_model("cifar_resnet20", depths=(1, 1, 1), classes=4, input_shape=(16, 16, 3))


@pytest.fixture(scope="module")
def serve(model, tmp_path_factory):
    folder = export_saved_model(
        model, tmp_path_factory.mktemp("export"), preprocessing=PREPROCESSING, labels=LABELS, top_k=2
    )
    assert folder.name == "1"
    loaded = tf.saved_model.load(str(folder))
    signature = loaded.signatures["serving_default"]
    signature.keep = loaded
    return signature


def picture(seed=0, height=20, width=24, mode="RGB"):
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def encoded(image, kind="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


def ask(serve, contents):
    answer = serve(image_bytes=tf.constant(contents, tf.string, shape=[len(contents)]))
    return {name: value.numpy() for name, value in answer.items()}


def test_answers_as_the_python_path(serve, model):
    pictures = [picture(0), picture(1, 64, 48), picture(2, 16, 90)]  # sizes differ within one batch
    answer = ask(serve, [encoded(image) for image in pictures])
    expected = model(np.stack([PREPROCESSING(np.asarray(image)) for image in pictures])).numpy()
    np.testing.assert_allclose(answer["scores"], expected, atol=1e-6)
    assert answer["scores"].dtype == np.float32
    best = expected.argsort(axis=-1)[:, ::-1][:, :2]
    np.testing.assert_array_equal(answer["class_ids"], best)
    assert [[name.decode() for name in row] for row in answer["classes"]] == [[LABELS[i] for i in row] for row in best]
    np.testing.assert_allclose(answer["top_scores"], np.take_along_axis(expected, best, axis=-1), atol=1e-6)
    assert answer["valid"].all()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF"])
@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_takes_every_kind_of_file(serve, kind, mode):
    assert ask(serve, [encoded(picture(mode=mode).convert("RGB" if (kind, mode) == ("JPEG", "P") else mode), kind)])[
        "valid"
    ]


def test_one_bad_image_does_not_harm_the_others(serve):
    good, other = encoded(picture(3)), encoded(picture(4), "JPEG")
    bad = [b"", b"not an image", good[: len(good) // 2], b"\x89PNG\r\n\x1a\n", b"II*\x00" + bytes(100)]
    answer = ask(serve, [bad[0], good, *bad[1:], other])
    assert answer["valid"].tolist() == [False, True, *[False] * 4, True]
    for index, content in ((1, good), (6, other)):
        np.testing.assert_allclose(answer["scores"][index], ask(serve, [content])["scores"][0], rtol=1e-5)
    assert not answer["scores"][~answer["valid"]].any()


def test_takes_an_empty_batch(serve):
    answer = ask(serve, [])
    assert answer["scores"].shape == (0, 4)
    assert answer["classes"].shape == (0, 2)
    assert answer["valid"].shape == (0,)


def test_versions_count_up_and_are_never_overwritten(model, tmp_path):
    (tmp_path / "7").mkdir()
    folder = export_saved_model(model, tmp_path, preprocessing=PREPROCESSING)
    assert folder == tmp_path / "8"
    for version in (8, 0):
        with pytest.raises(ValueError, match=f"received {version}"):
            export_saved_model(model, tmp_path, preprocessing=PREPROCESSING, version=version)
    assert ask(tf.saved_model.load(str(folder)).signatures["serving_default"], [encoded(picture())])[
        "classes"
    ].shape == (1, 4)


def test_refuses_labels_that_do_not_fit(model, tmp_path):
    with pytest.raises(ValueError, match="each of the 4 classes; received 2"):
        export_saved_model(model, tmp_path, preprocessing=PREPROCESSING, labels=["a", "b"])


def test_a_failed_export_leaves_nothing(model, tmp_path, monkeypatch):
    """The disk fills while the variables are written."""
    write = tf.saved_model.save

    def fail(*arguments, **options):
        write(*arguments, **options)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="No space left"):
        export_saved_model(model, tmp_path, preprocessing=PREPROCESSING)
    assert list(tmp_path.iterdir()) == []


def test_preprocessing_refuses():
    for changes in ({"mean": (0.5,)}, {"std": (1.0, 0.0, 1.0)}, {"crop_pct": 0}, {"size": (0, 8)}):
        with pytest.raises(ValueError, match="received"):
            Preprocessing(**{"size": (8, 8), **changes})
