"""profile: what the original paper claims, any Keras model, nothing allocated."""

import csv
import io

import keras
import pytest
import rich

import keras_resnet as kr


def test_plain_and_residual_34_cost_the_same():
    """arXiv:1512.03385, figure 3: 3.6 billion multiply-adds for both; with option A equal parameters (section 3.3)."""
    with kr.weightless():
        residual = kr.profile(kr.create_model("resnet34", shortcut="A"))
    plain = kr.profile("plain34")
    assert (residual.trainable_params, residual.macs) == (plain.trainable_params, plain.macs)
    assert f"{plain.macs / 1e9:.1f}" == "3.6"


@pytest.mark.parametrize(
    ("name", "billions"),  # arXiv:1512.03385, table 1 and figure 3; 4.1 is v1.5, torchvision's documentation
    [
        ("vgg19", 19.6),
        ("resnet18", 1.8),
        ("plain18", 1.8),
        ("resnet34", 3.6),
        ("resnet50_v1", 3.8),
        ("resnet50", 4.1),
        ("resnet101_v1", 7.6),
        ("resnet152_v1", 11.3),
    ],
)
def test_the_papers_multiply_adds(name, billions):
    assert kr.profile(name).macs / 1e9 == pytest.approx(billions, rel=0.02)


def test_vgg19_costs_five_times_resnet34():
    """Section 3.3: ResNet-34 is 18 % of VGG-19."""
    assert kr.profile("plain34").macs / kr.profile("vgg19").macs == pytest.approx(0.18, abs=0.01)


def test_rows_add_up_and_stages_too(tmp_path):
    model = kr.create_model("resnet18", drop_path_rate=0.1, dropout=0.1)
    profile = kr.profile(model)
    assert profile.params == model.count_params()
    assert profile.trainable_params == sum(keras.ops.size(weight) for weight in model.trainable_weights)
    stages = profile.stages()
    assert [row.layer for row in stages.rows] == ["stem", "stage1", "stage2", "stage3", "stage4", "head", "predictions"]
    for total in ("params", "trainable_params", "macs", "activations"):
        assert getattr(stages, total) == getattr(profile, total)
    profile.to_csv(tmp_path / "resnet18.csv")
    with (tmp_path / "resnet18.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert sum(int(row["multiply_adds"]) for row in rows) == profile.macs
    assert rows[-1]["layer"] == "predictions"


def test_prints_a_table_of_80_columns():
    console = rich.console.Console(file=io.StringIO(), width=80)
    console.print(kr.profile("resnet50").stages())
    text = console.file.getvalue()
    assert "25,557,032" in text
    assert "4,089.184" in text
    assert "…" not in text


def test_multiply_adds_of_every_kind_of_layer_by_hand():
    layers = keras.layers
    x = inputs = keras.Input((8, 8, 4))
    x = layers.Conv2D(6, 3, padding="same", groups=2)(x)  # 8*8*6 outputs of 3*3*2
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x)  # 8*8*12 of 3*3
    x = layers.SeparableConv2D(5, 3, padding="same")(x)  # 8*8*12 of 3*3, then 8*8*5 of 12
    x = layers.Conv2DTranspose(3, 2, strides=2)(x)  # 8*8*5 inputs to 2*2*3
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(7)(x)
    by_hand = [384 * 18, 768 * 9, 768 * 9 + 320 * 12, 320 * 12, 0, 21]
    counted = kr.profile(keras.Model(inputs, x))
    assert [row.macs for row in counted.rows] == by_hand
    assert counted.params == keras.Model(inputs, x).count_params()


def test_shared_layers_and_nested_models_count_every_call():
    dense = keras.layers.Dense(5)
    inner = keras.Sequential([keras.Input((5,)), dense, dense])
    inputs = keras.Input((5,))
    model = keras.Model(inputs, inner(inner(inputs)))
    assert kr.profile(model).macs == 4 * 25
    assert kr.profile(model).params == 30
    assert kr.profile(inner).macs == 2 * 25


def test_says_what_it_cannot_count():
    inputs = keras.Input((6, 5))
    counted = kr.profile(keras.Model(inputs, keras.layers.LSTM(3, name="memory")(inputs)))
    assert counted.uncounted == ("memory",)
    assert "memory" in str(counted.__rich__().caption)


def test_refuses():
    with pytest.raises(ValueError, match="input_shape="):
        kr.profile(kr.create_model("cifar_resnet20", input_shape=(None, None, 3)))
    with pytest.raises(ValueError, match="functional models"):
        kr.profile(keras.Sequential([keras.layers.Dense(3)]))
    with pytest.raises(ValueError, match="did you mean"):
        kr.profile("resnet51")


def test_refuses_shapes_that_do_not_fit():
    model = kr.create_model("cifar_resnet20")
    for shape in ((32, 32, 1), (32, 3), (3,)):
        with pytest.raises(ValueError, match=r"must fit the model's \(32, 32, 3\)"):
            kr.profile(model, shape)


def test_says_the_essential_in_a_line():
    assert repr(kr.profile("resnet50")) == "resnet50: 25,557,032 parameters, 4.09 billion multiply-adds"


def test_other_sizes():
    free = kr.create_model("resnet18", input_shape=(None, None, 3))
    assert kr.profile(free, (224, 224, 3)).macs == kr.profile("resnet18").macs
    assert kr.profile("resnet18", (32, 32, 3)).macs < kr.profile("resnet18").macs / 40


def test_weightless_models_hold_no_memory():
    with kr.weightless():
        model = kr.create_model("resnetv2_152x4_bit")
    assert model.count_params() == 936_533_224
    assert {weight._value is None for weight in model.weights} == {True}
    kr.create_model("cifar_resnet20")  # Keras may not initialise the weightless model behind our back
    assert {weight._value is None for weight in model.weights} == {True}
