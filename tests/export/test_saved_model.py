"""The exported SavedModel, through its saved signature alone."""

import base64
import json
import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

import keras_resnet as kr
from keras_resnet.data.imagenet import class_names
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export.card import read_card, weights_digest
from keras_resnet.export.classifier import classifier
from keras_resnet.export.compare import ExportError
from keras_resnet.export.frozen import LARGEST_CONSTANTS, is_frozen, serving_network
from keras_resnet.export.saved_model import export_saved_model
from keras_resnet.export.verify import verify
from tests.export.conftest import LABELS, PREPROCESSING, ask, encoded, lively, picture


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


@pytest.mark.slow
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


@pytest.mark.slow
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


def test_what_belongs_to_a_tag_is_bound_to_its_weights(monkeypatch, tmp_path):
    """The file of the tag is one written here, in place of a download."""
    from keras_resnet.weights import hub

    small = {"depths": (1, 1, 1, 1), "widths": (8, 8, 8, 8), "stem_width": 8}
    kr.save_weights(kr.create_model("resnet18", **small), tmp_path / "w.safetensors", layout="timm")
    monkeypatch.setattr(hub, "fetch", lambda tag: tmp_path / "w.safetensors")
    tagged = kr.create_model("resnet18", weights="resnet18.a1_in1k", **small)
    found = classifier(tagged)
    assert found.preprocessing == hub.TAGS["resnet18.a1_in1k"].preprocessing
    assert found.preprocessing.crop_pct == 0.95
    assert found.labels == tuple(name for _, name in class_names())
    kr.load_weights(tagged, tmp_path / "w.safetensors")  # of a file nothing is known
    assert classifier(tagged).preprocessing == Preprocessing((224, 224), crop_pct=0.875)
    assert classifier(tagged, "resnet18.a1_in1k") == found
    others = kr.create_model("resnet18", weights="resnet18.a1_in1k", classes=7, **small)
    assert classifier(others).labels == tuple("0123456")
    with pytest.raises(ValueError, match="unknown tag"):
        classifier(tagged, "resnet18.a9_in1k")
    with pytest.raises(ValueError, match="not for grey or colour"):
        classifier(kr.create_model("cifar_resnet20", depths=(1, 1, 1), input_shape=(8, 8, 4)))


@pytest.mark.slow
def test_networks_of_any_input_size_and_grey_ones(tmp_path):
    model = lively(kr.create_model("cifar_resnet20", depths=(1, 1, 1), input_shape=(None, None, 1)))
    folder = export_saved_model(model, tmp_path, preprocessing=Preprocessing((12, 12), mean=(0.5,), std=(0.5,)))
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    files = [encoded(picture(mode="L")), encoded(picture(), "WEBP"), encoded(picture().quantize(64), "GIF")]
    assert ask(serve, files)["valid"].all()


def test_warm_up_requests_are_answered(folder, exported):
    """As a server does it: each request to the signature that it names."""
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    counts = []
    for record in tf.data.TFRecordDataset(str(path)):
        request = prediction_log_pb2.PredictionLog.FromString(record.numpy()).predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(value)) for name, value in request.inputs.items()}
        answer = exported.signatures[request.model_spec.signature_name](**inputs)
        assert answer["valid"].numpy().all()
        counts.append(len(answer["scores"]))
    assert counts == [1, 16]


def test_the_weights_are_constants_once(folder, model):
    """Five signatures share one copy: the file is a little larger than the weights."""
    weights = 4 * sum(int(np.prod(variable.shape)) for variable in serving_network(model).variables)
    assert weights < (folder / "saved_model.pb").stat().st_size < weights + 600_000
    assert (folder / "variables" / "variables.data-00000-of-00001").stat().st_size < 1000


@pytest.mark.slow
def test_weights_too_many_for_a_graph_stay_variables(model, tmp_path, monkeypatch):
    monkeypatch.setattr("keras_resnet.export.frozen.LARGEST_CONSTANTS", 1000)
    assert not is_frozen(serving_network(model))
    folder = export_saved_model(model, tmp_path, preprocessing=PREPROCESSING)
    assert (folder / "variables" / "variables.data-00000-of-00001").stat().st_size > 300_000
    assert LARGEST_CONSTANTS < 2**31


@pytest.mark.slow
def test_bfloat16_is_near_and_half_as_large(model, folder, tmp_path, serve):
    half = export_saved_model(model, tmp_path, preprocessing=PREPROCESSING, precision="bfloat16", warmup=False)
    assert not (half / "assets.extra").exists()
    files = [encoded(picture(seed)) for seed in range(16)]
    answer = ask(tf.saved_model.load(str(half)).signatures["serving_default"], files)
    assert answer["scores"].dtype == np.float32
    difference = np.abs(answer["scores"] - ask(serve, files)["scores"])
    assert 0 < difference.max() < 0.05
    sizes = [(path / "saved_model.pb").stat().st_size for path in (half, folder)]
    weights = 4 * sum(int(np.prod(variable.shape)) for variable in serving_network(model).variables)
    assert sizes[0] < sizes[1] - 0.3 * weights
    with pytest.raises(ValueError, match="received 'float16'"):
        export_saved_model(model, tmp_path, preprocessing=PREPROCESSING, precision="float16")


def test_a_network_trained_in_mixed_precision_is_served_in_float32(model):
    mixed = kr.create_model(
        "cifar_resnet20", depths=(1, 1, 1), classes=4, input_shape=(16, 16, 3), dtype="mixed_bfloat16"
    )
    mixed.set_weights(model.get_weights())
    x = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype("float32")
    np.testing.assert_allclose(serving_network(mixed)(x)["scores"], model(x), atol=1e-5)


def test_the_card_says_what_it_is_and_what_it_answers(folder, model, serve):
    card = read_card(folder)
    assert card["labels"] == LABELS
    assert Preprocessing(**{**card["preprocessing"], "size": (16, 16)}).crop_pct == PREPROCESSING.crop_pct
    assert card["weights_sha256"] == weights_digest(model)
    assert card["verification"]["images"] == card["verification"]["same"] == 2
    answer = ask(serve, [base64.b64decode(reference["png"]) for reference in card["reference"]])
    for index, reference in enumerate(card["reference"]):
        np.testing.assert_allclose(answer["scores"][index, reference["class_ids"]], reference["top_scores"], atol=1e-5)
        assert reference["classes"][0] == answer["classes"][index, 0].decode()
    assert verify(folder).same == 2
    other = kr.create_model("cifar_resnet20", depths=(1, 1, 1), classes=4, input_shape=(16, 16, 3))
    assert weights_digest(other) != card["weights_sha256"]


@pytest.mark.slow
def test_an_export_that_answers_otherwise_is_found_out(folder, model, tmp_path, monkeypatch):
    other = tmp_path / "other" / "1"
    shutil.copytree(folder, other)
    card = read_card(other)
    card["reference"][0]["top_scores"][0] += 0.01
    (other / "model_card.json").write_text(json.dumps(card))
    with pytest.raises(ExportError, match="does not answer as its card says"):
        verify(other)
    (other / "model_card.json").write_text("{}")
    with pytest.raises(ExportError, match="not the card of an export"):
        verify(other)
    # A fault of the export itself, here a norm forgotten in folding: nothing is kept.
    folded = serving_network(model)
    folded.get_layer("stem_conv").bias.assign(folded.get_layer("stem_conv").bias + 0.5)
    monkeypatch.setattr("keras_resnet.export.saved_model.serving_network", lambda *_: folded)
    with pytest.raises(ExportError, match="not kept"):
        export_saved_model(model, tmp_path / "wrong", preprocessing=PREPROCESSING)
    assert list((tmp_path / "wrong").iterdir()) == []


@pytest.mark.slow
def test_real_images_are_compared_too(model, tmp_path):
    images = [encoded(picture(seed, 30, 40), "JPEG") for seed in range(3)]
    folder = export_saved_model(model, tmp_path, preprocessing=PREPROCESSING, images=images)
    assert read_card(folder)["verification"]["images"] == 5
    with pytest.raises(ExportError, match="image 3 of 3 cannot be decoded"):
        export_saved_model(model, tmp_path, preprocessing=PREPROCESSING, images=[b"no image"])
