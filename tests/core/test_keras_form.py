"""The pre-activation networks in keras.applications' form: the stride in a stage's last unit, and biases."""

from dataclasses import replace

import keras
import pytest

import keras_resnet as kr


@pytest.mark.slow
@pytest.mark.parametrize("depth", [50, 101, 152])
def test_counts_equal_keras_applications(depth):
    ours = kr.create_model(f"resnetv2_{depth}_keras", input_shape=(64, 64, 3))
    theirs = getattr(keras.applications, f"ResNet{depth}V2")(weights=None, input_shape=(64, 64, 3))
    assert ours.count_params() == theirs.count_params()
    sizes = [sum(weight.numpy().size for weight in model.trainable_weights) for model in (ours, theirs)]
    assert sizes[0] == sizes[1]
    strided = [layer.name for layer in ours.layers if isinstance(layer, keras.layers.Conv2D) and layer.strides > (1, 1)]
    last = [f"stage{stage}_block{units}_conv2" for stage, units in enumerate(kr.get_spec(ours.name).depths[:3], 1)]
    assert strided == ["stem_conv", *last]


def test_dilation_takes_the_place_of_the_moved_stride():
    """At stride 16 the third stage's last unit loses its stride; the units after it are dilated, not those before."""
    model = kr.create_model("resnetv2_50_keras", input_shape=(64, 64, 3), output_stride=16, include_top=False)
    assert model.output_shape == (None, 4, 4, 2048)
    dilated = [
        layer.name for layer in model.layers if isinstance(layer, keras.layers.Conv2D) and max(layer.dilation_rate) > 1
    ]
    assert dilated == [f"stage4_block{block}_conv2" for block in (1, 2, 3)]
    assert max(model.get_layer("stage3_block6_conv2").strides) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"order": "post"}, "bias=True"), ({"shortcut": "C"}, "received 'C'"), ({"stride_in": "middle"}, "stride_in")],
)
def test_refusals(changes, message):
    with pytest.raises(ValueError, match=message):
        replace(kr.get_spec("resnetv2_50_keras"), **changes)


def test_no_unit_can_start_as_the_identity_where_the_last_one_is_strided():
    model = kr.create_model("resnetv2_50_keras", input_shape=(64, 64, 3))
    with pytest.raises(ValueError, match="identity"):
        kr.deepen(model, 1)
    kr.deepen(model, 4)
