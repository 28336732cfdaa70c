"""The exported SavedModel, through its saved signature alone."""

import io
import resource
import struct
import zlib

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
def exported(model, tmp_path_factory):
    parent = tmp_path_factory.mktemp("export")
    folder = export_saved_model(model, parent, preprocessing=PREPROCESSING, labels=LABELS, top_k=2)
    assert folder.name == "1"
    assert (folder / "assets" / "labels.txt").read_text().splitlines() == LABELS
    return tf.saved_model.load(str(folder))


@pytest.fixture(scope="module")
def serve(exported):
    return exported.signatures["serving_default"]


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


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "BMP", "GIF", "WEBP"])
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


def test_every_signature_gives_the_same_answer(exported, serve, model):
    image = picture(5, 40, 30)
    expected = ask(serve, [encoded(image)])
    pixels = np.asarray(image)[None]
    prepared = PREPROCESSING(pixels[0]).numpy()[None]
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[encoded(image)]))
    example = tf.train.Example(features=tf.train.Features(feature={"image/encoded": feature})).SerializeToString()
    empty = tf.train.Example().SerializeToString()
    answers = {
        "predict_images": exported.signatures["predict_images"](images=tf.constant(pixels)),
        "predict_tensor": exported.signatures["predict_tensor"](tensor=tf.constant(prepared)),
        "tf_example": exported.signatures["tf_example"](examples=tf.constant([example, empty])),
    }
    for name, answer in answers.items():
        np.testing.assert_allclose(answer["scores"][0], expected["scores"][0], atol=1e-6, err_msg=name)
        assert answer["classes"].numpy()[0].tolist() == expected["classes"][0].tolist()
    assert answers["tf_example"]["valid"].numpy().tolist() == [True, False]
    features = exported.signatures["features"](image_bytes=tf.constant([encoded(image), b"no"]))
    dense = model.get_layer("predictions")
    np.testing.assert_allclose(dense(features["features"][:1]).numpy(), expected["scores"], atol=1e-6)
    assert not features["features"].numpy()[1].any()


@pytest.mark.parametrize("name", ["serving_default", "features", "tf_example", "predict_images", "predict_tensor"])
def test_every_signature_takes_an_empty_batch(exported, name):
    signature = exported.signatures[name]
    ((key, spec),) = signature.structured_input_signature[1].items()
    shape = [0, *(size or 20 for size in spec.shape[1:])]
    for value in signature(**{key: tf.zeros(shape, spec.dtype)}).values():
        assert value.shape[0] == 0


def png_claiming(width, height):
    """A PNG of a few bytes whose header states any size."""
    content = bytearray(encoded(picture()))
    content[16:24] = struct.pack(">II", width, height)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    return bytes(content)


@pytest.mark.parametrize("size", [(20_000, 20_000), (8193, 8192), (2**31 - 1, 2**31 - 1), (2**32 - 1, 1), (0, 5)])
def test_refuses_what_would_unpack_beyond_measure(serve, size):
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = ask(serve, [png_claiming(*size), encoded(picture())])
    assert answer["valid"].tolist() == [False, True]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_refuses_an_image_bomb(serve):
    """Whole and valid: 400 million pixels in some 50 kilobytes, 1.2 GB once decoded."""
    bomb = encoded(Image.new("1", (20_000, 20_000)))
    assert len(bomb) < 100_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert ask(serve, [bomb, encoded(picture())])["valid"].tolist() == [False, True]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kilobytes


def test_refuses_a_file_beyond_measure(serve):
    assert not ask(serve, [encoded(picture()) + bytes(2**25)])["valid"].any()


@pytest.mark.parametrize("kind", ["TIFF", "ICO"])
def test_other_kinds_are_not_valid(serve, kind):
    assert ask(serve, [encoded(picture(), kind), encoded(picture())])["valid"].tolist() == [False, True]


def test_odd_images(serve):
    first, second = picture(1, 16, 16), picture(2, 16, 16)
    animated = io.BytesIO()
    first.quantize(256).save(animated, "GIF", save_all=True, append_images=[second.quantize(256)])
    still = encoded(first.quantize(256), "GIF")
    sixteen = Image.fromarray(np.random.default_rng(0).integers(0, 2**16, (9, 9), dtype=np.uint16))
    odd = [
        animated.getvalue(),
        encoded(picture(3, mode="RGBA")),
        encoded(picture(3, mode="LA")),
        encoded(picture(3, mode="1")),
        encoded(picture(3, mode="CMYK"), "JPEG"),
        encoded(sixteen),
        encoded(picture(3, 1, 1)),
        encoded(picture(3, 1, 500)),
        encoded(picture(3, 500, 1), "JPEG"),
    ]
    answer = ask(serve, [*odd, still])
    assert answer["valid"].all()
    assert np.isfinite(answer["scores"]).all()
    np.testing.assert_allclose(answer["scores"][0], answer["scores"][-1], atol=1e-6)  # the first frame


def test_mutated_files_never_crash_it(serve):
    """400 files with random bytes changed, cut or doubled: an answer for each, and finite."""
    random = np.random.default_rng(0)
    whole = [encoded(picture(seed), kind) for seed, kind in enumerate(["PNG", "JPEG", "GIF", "BMP"])]
    for start in range(0, 400, 50):
        batch = []
        for index in range(start, start + 50):
            content = bytearray(whole[index % 4])
            for _ in range(random.integers(1, 6)):
                content[random.integers(len(content))] = random.integers(256)
            cut = random.integers(len(content))
            batch.append(bytes([content, content[:cut], content + content[cut:]][index % 3]))
        answer = ask(serve, batch)
        assert np.isfinite(answer["scores"]).all()
        assert not answer["scores"][~answer["valid"]].any()
        np.testing.assert_allclose(answer["scores"][answer["valid"]].sum(axis=-1), 1, atol=1e-5)


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


def test_refuses_preprocessing_to_another_size(model, tmp_path):
    with pytest.raises(ValueError, match=r"gives \(8, 8, 3\), the model takes \(16, 16, 3\)"):
        export_saved_model(model, tmp_path, preprocessing=Preprocessing(size=(8, 8)))


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
