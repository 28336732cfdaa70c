"""ONNX, LiteRT and OpenVINO files: the same answers by the runtimes themselves."""

import json
import subprocess
import sys

import numpy as np
import pytest

from keras_resnet.export.card import card_path, read_card
from keras_resnet.export.compare import ExportError
from keras_resnet.export.files import KINDS, export_file
from keras_resnet.export.opened import pixels
from keras_resnet.export.verify import verify
from tests.export.conftest import LABELS, PREPROCESSING, encoded, picture

NEEDS = {"onnx": ("onnx", "onnxruntime", "tf2onnx"), "litert": ("ai_edge_litert",), "openvino": ("openvino",)}
FILES = [encoded(picture(seed, 30, 24)) for seed in range(20)]
IMAGES = np.stack([pixels(content, PREPROCESSING) for content in FILES])


def needs(kind):
    for package in NEEDS[kind.partition("-")[0]]:
        pytest.importorskip(package, reason=f"{package} is not installed: pip install -e '.[onnx,litert,openvino]'")


def written(model, folder, kind, **settings):
    needs(kind)
    if KINDS[kind].calibrated:
        settings["calibration"] = [encoded(picture(seed, 30, 24)) for seed in range(100, 140)]
    path = folder / f"net{KINDS[kind].suffix}"
    return export_file(model, path, kind, preprocessing=PREPROCESSING, labels=LABELS, images=FILES, **settings)


@pytest.fixture(scope="module")
def expected(model):
    return model(PREPROCESSING.normalize(IMAGES.astype("float32"))).numpy()


@pytest.mark.slow
def test_onnx_takes_any_batch_by_its_names(model, tmp_path, expected):
    path = written(model, tmp_path, "onnx")
    import onnx
    import onnxruntime

    onnx.checker.check_model(str(path), full_check=True)
    session = onnxruntime.InferenceSession(str(path))
    assert [(value.name, value.type, value.shape) for value in session.get_inputs()] == [
        ("pixels", "tensor(uint8)", ["batch", 16, 16, 3])
    ]
    assert [(value.name, value.shape) for value in session.get_outputs()] == [("scores", ["batch", 4])]
    for count in (1, 7, 20):
        (found,) = session.run(["scores"], {"pixels": IMAGES[:count]})
        np.testing.assert_allclose(found, expected[:count], atol=1e-5)
    assert not [node for node in onnx.load(path).graph.node if node.op_type == "BatchNormalization"]


@pytest.mark.slow
def test_onnx_and_openvino_take_a_preprocessed_tensor(model, tmp_path, expected):
    path = written(model, tmp_path, "onnx", inputs="tensor")
    tensor = PREPROCESSING.normalize(IMAGES.astype("float32"))
    import onnxruntime

    (found,) = onnxruntime.InferenceSession(str(path)).run(["scores"], {"tensor": tensor})
    np.testing.assert_allclose(found, expected, atol=1e-5)
    path = written(model, tmp_path, "openvino", inputs="tensor")
    import openvino

    compiled = openvino.Core().compile_model(str(path), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    np.testing.assert_allclose(compiled({"tensor": tensor})["scores"], expected, atol=1e-5)
    assert read_card(path)["format"] == "openvino tensor"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["litert", "litert-float16"])
def test_litert_takes_pixels(kind, model, tmp_path, expected):
    path = written(model, tmp_path, kind)
    from ai_edge_litert.interpreter import Interpreter

    run = Interpreter(str(path)).get_signature_runner()
    found = np.concatenate([run(pixels=image[None])["scores"] for image in IMAGES])
    np.testing.assert_allclose(found, expected, atol=1e-5 if kind == "litert" else 0.01)


@pytest.mark.slow
def test_litert_int8_is_whole_numbers_throughout(model, tmp_path, expected):
    path = written(model, tmp_path, "litert-int8")
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    kinds = {detail["dtype"] for detail in interpreter.get_tensor_details() if detail["shape"].size}
    assert kinds <= {np.int8, np.uint8, np.int32}, kinds
    (given,), (answer,) = interpreter.get_input_details(), interpreter.get_output_details()
    assert given["dtype"] == answer["dtype"] == np.uint8
    assert given["quantization"] == (1.0, 0)  # pixels as they are
    filters = [d for d in interpreter.get_tensor_details() if d["dtype"] == np.int8 and len(d["shape"]) == 4]
    assert any(len(detail["quantization_parameters"]["scales"]) > 1 for detail in filters)  # by channel
    assert path.stat().st_size < 0.5 * 4 * model.count_params()
    same = read_card(path)["verification"]["same"]
    assert same >= 0.9 * 22


@pytest.mark.slow
def test_onnx_int8_is_near(model, tmp_path):
    path = written(model, tmp_path, "onnx-int8")
    import onnx

    operations = [node.op_type for node in onnx.load(path).graph.node]
    assert operations.count("QuantizeLinear") > 5
    assert read_card(path)["verification"]["same"] >= 0.9 * 22


WITHOUT_TENSORFLOW = """
import json, sys
sys.modules["tensorflow"] = sys.modules["keras"] = None  # importing either is an error from here on
import numpy as np
pixels, found = np.load(sys.argv[1]), {}
if sys.argv[2].endswith(".onnx"):
    import onnxruntime
    scores = onnxruntime.InferenceSession(sys.argv[2]).run(["scores"], {"pixels": pixels})[0]
else:
    import openvino
    compiled = openvino.Core().compile_model(sys.argv[2], "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    scores = compiled({"pixels": pixels})["scores"]
card = json.load(open(sys.argv[2] + ".card.json"))
print(json.dumps([scores.tolist(), [card["labels"][best] for best in scores.argmax(-1)]]))
"""


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_process_without_tensorflow_reads_it(kind, model, tmp_path, expected):
    path = written(model, tmp_path, kind)
    np.save(tmp_path / "pixels.npy", IMAGES)
    command = [sys.executable, "-c", WITHOUT_TENSORFLOW, str(tmp_path / "pixels.npy"), str(path)]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    scores, labels = json.loads(run.stdout.splitlines()[-1])
    np.testing.assert_allclose(scores, expected, atol=1e-5)
    assert labels == [LABELS[best] for best in expected.argmax(axis=-1)]


@pytest.mark.slow
def test_openvino_reads_the_saved_model_itself(folder, expected):
    """The graph of `predict_tensor` has nothing that is TensorFlow's alone, such as the decoding of files."""
    openvino = pytest.importorskip("openvino", reason="openvino is not installed")
    import tensorflow as tf

    exported = tf.saved_model.load(str(folder))
    converted = openvino.convert_model(exported.signatures["predict_tensor"])
    compiled = openvino.Core().compile_model(converted, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    tensor = PREPROCESSING.normalize(IMAGES.astype("float32"))
    answer = compiled({"tensor": tensor})
    np.testing.assert_allclose(answer["scores"], expected, atol=1e-5)
    assert answer["class_ids"][:, 0].tolist() == expected.argmax(axis=-1).tolist()


@pytest.mark.slow
def test_what_differs_is_not_kept(model, tmp_path, monkeypatch):
    """A normalisation forgotten in the file: the runtime answers, otherwise than the model."""
    needs("litert")
    from keras_resnet.data.preprocess import Preprocessing

    taking = "keras_resnet.export.files.taking"
    from keras_resnet.export.classifier import Classifier
    from keras_resnet.export.files import taking as right

    plain = Preprocessing((16, 16), mean=(0.0,) * 3, std=(1.0,) * 3)
    monkeypatch.setattr(taking, lambda inputs, d, dtype: right(inputs, Classifier(d.model, plain, d.labels), dtype))
    with pytest.raises(ExportError, match="litert pixels is not kept"):
        written(model, tmp_path, "litert")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_verify_opens_a_file_by_its_card(model, tmp_path):
    path = written(model, tmp_path, "litert")
    assert verify(path).same == 2
    card_path(path).unlink()
    with pytest.raises(ExportError, match="not the card"):
        verify(path)


@pytest.mark.parametrize(
    ("name", "kind", "settings", "message"),
    [
        ("a.onnx", "onnx-int4", {}, "received 'onnx-int4'"),
        ("a.tflite", "onnx", {}, "written to .onnx"),
        ("a.onnx", "onnx-int8", {}, "needs calibration images"),
        ("a.tflite", "litert-int8", {"inputs": "tensor", "calibration": FILES}, "takes pixels"),
        ("a.onnx", "onnx", {"inputs": "bytes"}, "received 'bytes'"),
        ("none/a.onnx", "onnx", {}, "there is no folder"),
        ("a.onnx", "onnx", {"labels": ["a"]}, "each of the 4 classes"),
    ],
)
def test_refuses(name, kind, settings, message, model, tmp_path):
    with pytest.raises(ValueError, match=message):
        export_file(model, tmp_path / name, kind, **settings)
    assert list(tmp_path.iterdir()) == []
