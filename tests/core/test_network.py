"""Options of the builder: what each does, on small networks."""

from dataclasses import replace

import keras
import numpy as np
import pytest

import keras_resnet as kr
from keras_resnet.layers import StdConv2D
from tests.conftest import gradients, images, small

BASIC = small(kr.get_spec("resnet18"))
BOTTLENECK = small(kr.get_spec("resnet50"))
PRE = small(kr.get_spec("resnetv2_50"))
CIFAR = small(kr.get_spec("cifar_resnet20"))
DENSE = small(kr.get_spec("dense_resnet"))


def numpy(x):
    return keras.ops.convert_to_numpy(x)


def test_include_top_pooling_and_classes():
    assert kr.build(BASIC, classes=7).output_shape == (None, 7)
    assert kr.build(BASIC, include_top=False).output_shape == (None, 2, 2, 32)
    assert kr.build(BASIC, include_top=False, pooling="avg").output_shape == (None, 32)
    x = images(2, 36, 36, 3)
    model = kr.build(BASIC, include_top=False)
    pooled = kr.build(BASIC, include_top=False, pooling="max")
    pooled.set_weights(model.get_weights())
    np.testing.assert_array_equal(numpy(pooled(x)), numpy(model(x)).max(axis=(1, 2)))


def test_classifier_activation():
    model, logits = kr.build(BASIC), kr.build(BASIC, classifier_activation=None)
    logits.set_weights(model.get_weights())
    x = images(2, 36, 36, 3)
    np.testing.assert_allclose(numpy(keras.ops.softmax(logits(x))), numpy(model(x)), rtol=1e-5)


def test_takes_numpy_s_whole_numbers_and_lists():
    model = kr.build(BASIC, classes=np.int64(7), input_shape=[np.int32(40), 40, 3])
    assert keras.Model.from_config(model.get_config()).output_shape == (None, 7)


def test_stays_channels_last_whatever_keras_is_set_to():
    try:
        keras.config.set_image_data_format("channels_first")
        for name in ("resnet50d", "resnetblur50", "resnetrs50", "seresnet18"):
            assert kr.build(small(kr.get_spec(name)), include_top=False).output_shape[1:3] == (2, 2)
    finally:
        keras.config.set_image_data_format("channels_last")


def test_build_takes_a_spec():
    with pytest.raises(ValueError, match="for a name call create_model; received 'resnet18'"):
        kr.build("resnet18")


def test_builds_upon_a_tensor_and_any_input():
    raw = keras.Input((50, 40, 5))
    model = kr.build(BASIC, input_tensor=keras.layers.Rescaling(1 / 255)(raw))
    assert model.inputs[0] is raw
    assert model(images(1, 50, 40, 5)).shape == (1, 1000)
    free = kr.build(BASIC, input_shape=(None, None, 1), include_top=False)
    assert free(images(1, 33, 64, 1)).shape == (1, 2, 2, 32)
    assert free(images(1, 1, 1, 1)).shape == (1, 1, 1, 32)


@pytest.mark.parametrize(
    "spec", [BASIC, BOTTLENECK, PRE, small(kr.get_spec("resnet50d"))], ids=lambda s: s.block + s.order
)
@pytest.mark.parametrize("output_stride", [4, 8, 16, 32])
def test_output_stride_keeps_resolution_and_weights(spec, output_stride):
    spec = replace(spec, depths=(2, 2, 2, 2))
    dilated = kr.build(spec, output_stride=output_stride, features_only=True, input_shape=(64, 64, 3))
    strides = [min(4 * 2**stage, output_stride) for stage in range(4)]
    assert [feature.shape[1] for feature in dilated.output.values()] == [64 // stride for stride in strides]
    ordinary = kr.build(spec, features_only=True, input_shape=(64, 64, 3))
    dilated.set_weights(ordinary.get_weights())  # the weights are the same, so pretrained ones fit
    rates = {layer.dilation_rate[0] for layer in dilated.layers if isinstance(layer, keras.layers.Conv2D)}
    assert rates == {rate for rate in (1, 2, 4, 8) if rate <= 32 // output_stride}


def test_first_unit_of_a_dilated_stage_keeps_the_previous_dilation():
    """As torchvision and timm do; else pretrained weights would see another receptive field."""
    model = kr.build(replace(BASIC, depths=(1, 1, 2, 2)), output_stride=8)
    rates = {
        layer.name: layer.dilation_rate[0]
        for layer in model.layers
        if "_conv" in layer.name and "pad" not in layer.name
    }
    assert [rates[f"stage3_block1_conv{i}"] for i in (1, 2)] == [1, 2]
    assert [rates[f"stage3_block2_conv{i}"] for i in (1, 2)] == [2, 2]
    assert [rates[f"stage4_block1_conv{i}"] for i in (1, 2)] == [2, 4]


def test_features_are_the_pyramid():
    model = kr.build(PRE, features_only=True, input_shape=(64, 64, 3))
    assert {name: feature.shape[1:] for name, feature in model.output.items()} == {
        "C2": (16, 16, 32),
        "C3": (8, 8, 64),
        "C4": (4, 4, 96),
        "C5": (2, 2, 128),
    }
    whole = kr.build(PRE, include_top=False, input_shape=(64, 64, 3))
    whole.set_weights(model.get_weights())
    x = images(1, 64, 64, 3)
    np.testing.assert_array_equal(numpy(model(x)["C5"]), numpy(whole(x)))


@pytest.mark.parametrize("spec", [BASIC, PRE, DENSE, small(kr.get_spec("vgg19"))], ids=["basic", "pre", "dense", "vgg"])
def test_weight_decay_is_l2_of_the_kernels(spec):
    model = kr.build(spec, weight_decay=1e-3)
    kernels = [variable for variable in model.trainable_variables if variable.name == "kernel"]
    by_hand = 1e-3 * sum(float((numpy(kernel) ** 2).sum()) for kernel in kernels)
    assert sum(float(loss) for loss in model.losses) == pytest.approx(by_hand, rel=1e-4)
    assert kr.build(spec).losses == []


def test_decay_scope_reaches_every_weight():
    model = kr.build(
        small(kr.get_spec("seresnet50")), weight_decay=1e-3, decay_scope=("kernel", "bias", "gamma", "beta")
    )
    by_hand = 1e-3 * sum(float((numpy(variable) ** 2).sum()) for variable in model.trainable_variables)
    assert sum(float(loss) for loss in model.losses) == pytest.approx(by_hand, rel=1e-4)
    reopened = keras.Model.from_config(model.get_config())
    assert len(reopened.losses) == len(model.losses)


@pytest.mark.parametrize("spec", [BASIC, BOTTLENECK, DENSE], ids=["basic", "bottleneck", "dense"])
def test_zero_init_makes_identity_units_transparent(spec):
    """F(x) = 0 at the start: an identity unit after a ReLU returns what it is given."""
    model = kr.build(spec, zero_init_residual=True)
    first, second = (model.get_layer(f"stage1_block{block}_out").output for block in (1, 2))
    before, after = keras.Model(model.input, [first, second])(images(2, *spec.input_shape))
    np.testing.assert_array_equal(numpy(after), numpy(before))
    assert numpy(before).any()


def test_zero_init_in_order_pre_starts_the_last_convolution_at_zero():
    model = kr.build(PRE, zero_init_residual=True)
    kernels = {layer.name: numpy(layer.kernel) for layer in model.layers if layer.name.endswith(("conv2", "conv3"))}
    assert not any(kernel.any() for name, kernel in kernels.items() if name.endswith("conv3"))
    assert all(kernel.any() for name, kernel in kernels.items() if name.endswith("conv2"))


def test_drop_path_grows_linearly_and_drops_whole_samples():
    model = kr.build(replace(BASIC, depths=(2, 2, 2, 2)), drop_path_rate=0.7)
    rates = [layer.rate for layer in model.layers if layer.name.endswith("drop_path")]
    np.testing.assert_allclose(rates, [0.7 * unit / 7 for unit in range(1, 8)])
    layer = model.get_layer("stage4_block2_drop_path")
    kept = numpy(layer(np.ones((1000, 1, 1, 32), "float32"), training=True))
    assert set(np.unique(kept.round(3))) == {0.0, np.float32(1 / 0.3).round(3)}
    assert (kept.min(axis=-1) == kept.max(axis=-1)).all()
    assert 0.2 < kept.any(axis=(1, 2, 3)).mean() < 0.4


def test_dropout_and_block_dropout():
    model = kr.build(replace(PRE, block="basic", ratio=1), dropout=0.2, block_dropout=0.3)
    rates = {layer.name: layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)}
    assert rates.pop("head_dropout") == 0.2
    assert set(rates) == {f"stage{s}_block{b}_dropout" for s, b in [(1, 1), (1, 2), (2, 1), (3, 1), (4, 1)]}
    assert set(rates.values()) == {0.3}


def test_norm_options_reach_every_norm():
    model = kr.build(BASIC, norm_momentum=0.7, norm_epsilon=1e-3)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.momentum, norm.epsilon) for norm in norms} == {(0.7, 1e-3)}
    defaults = [layer for layer in kr.build(BASIC).layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {(norm.momentum, norm.epsilon, norm.synchronized) for norm in defaults} == {(0.9, 1e-5, False)}


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="Keras synchronises batch norms under TensorFlow alone"
)
def test_synchronized_reaches_every_norm():
    model = kr.build(BASIC, synchronized=True)
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    assert {norm.synchronized for norm in norms} == {True}


def test_activation_replaces_every_relu():
    model = kr.build(replace(BASIC, activation="silu"))
    names = {layer.activation.__name__ for layer in model.layers if isinstance(layer, keras.layers.Activation)}
    assert names == {"silu"}


def test_mixed_precision_computes_low_and_classifies_in_float32():
    model = kr.build(BASIC, dtype="mixed_bfloat16")
    assert model.get_layer("stage1_block1_conv1").compute_dtype == "bfloat16"
    assert model.get_layer("stage1_block1_conv1").variable_dtype == "float32"
    assert model.get_layer("predictions").compute_dtype == "float32"
    assert kr.build(BASIC).get_layer("stage1_block1_conv1").compute_dtype == "float32"


@pytest.mark.parametrize("size", [8, 9])
def test_strides_pad_both_sides_as_torch_does(size):
    """A 3x3 with stride 2 whose kernel is one at its first tap reads positions -1, 1, 3, ...: one zero first."""
    model = kr.build(CIFAR, include_top=False, input_shape=(size, size, 1))
    conv = model.get_layer("stage2_block1_conv1")
    pad = model.get_layer("stage2_block1_conv1_pad")
    kernel = np.zeros(conv.kernel.shape, "float32")
    kernel[0, 0, 0, 0] = 1
    conv.kernel.assign(kernel)
    x = np.arange(1, 1 + size * size, dtype="float32").reshape(1, size, size, 1).repeat(8, axis=-1)
    result = numpy(conv(pad(x)))[0, ..., 0]
    expected = np.pad(x[0, ..., 0], 1)[:size:2, :size:2]
    np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize(("pool", "border"), [("max", -1.0), ("max_zero", 0.0)])
def test_stem_pool_border(pool, border):
    """Of a signed tensor torch's max-pooling ignores the border; BiT's sees zeros there."""
    spec = replace(PRE, pool=pool, depths=(1,), widths=(32,))
    model = kr.build(spec, include_top=False, input_shape=(16, 16, 1))
    stem = keras.Model(model.get_layer("stem_conv").output, model.get_layer("stem_pool").output)
    pooled = numpy(stem(-np.ones((1, 8, 8, 8), "float32")))
    assert pooled.shape == (1, 4, 4, 8)
    assert set(pooled[:, 0].ravel()) == {border}
    assert set(pooled[:, 1:, 1:].ravel()) == {-1.0}


def test_option_a_subsamples_and_pads_channels_on_both_sides():
    model = kr.build(
        replace(CIFAR, depths=(1, 1, 1)), include_top=False, zero_init_residual=True, input_shape=(8, 8, 3)
    )
    before, after = (model.get_layer(f"stage{stage}_block1_out").output for stage in (1, 2))
    x, y = (numpy(value) for value in keras.Model(model.input, [before, after])(images(2, 8, 8, 3)))
    np.testing.assert_array_equal(y, np.pad(x[:, ::2, ::2], [(0, 0), (0, 0), (0, 0), (4, 4)]))


def test_shortcut_c_projects_everywhere_and_b_where_shapes_change():
    def projections(shortcut):
        model = kr.build(replace(CIFAR, depths=(2, 2, 2), shortcut=shortcut))
        return [layer.name for layer in model.layers if layer.name.endswith("shortcut_conv")]

    assert projections("A") == projections("none") == []
    assert projections("B") == ["stage2_block1_shortcut_conv", "stage3_block1_shortcut_conv"]
    assert len(projections("C")) == 6


def test_blur_is_the_binomial_filter():
    model = kr.build(small(kr.get_spec("resnetblur50")), input_shape=(32, 32, 3))
    start = model.get_layer("stage2_block1_act2").output
    blur = keras.Model(start, model.get_layer("stage2_block1_blur2").output)
    x = images(1, 8, 8, start.shape[-1])
    padded = np.pad(x, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="reflect")
    taps = np.array([1, 2, 1]) / 4
    expected = sum(taps[i] * taps[j] * padded[:, i : i + 8 : 2, j : j + 8 : 2] for i in range(3) for j in range(3))
    np.testing.assert_allclose(numpy(blur(x)), expected, atol=1e-6)


def test_standardised_kernels_have_zero_mean_and_unit_variance():
    layer = StdConv2D(4, 3)
    layer.build((None, 8, 8, 5))
    kernel = numpy(layer.standardized(layer.kernel))
    np.testing.assert_allclose(kernel.mean(axis=(0, 1, 2)), 0, atol=1e-6)
    np.testing.assert_allclose(kernel.var(axis=(0, 1, 2)), 1, rtol=1e-4)


@pytest.mark.parametrize("shape", [(8, 8, 1), (64,)])
def test_dense_units_take_any_known_shape(shape):
    model = kr.create_model("dense_resnet", input_shape=shape, depths=(2, 1), widths=(16, 24), stem_width=16)
    assert model(images(3, *shape)).shape == (3, 10)
    assert all(gradient.any() for gradient in gradients(model, images(3, *shape)).values())


def test_volumes_come_from_the_same_units():
    spec = replace(BASIC, rank=3, input_shape=(16, 16, 16, 1))
    assert kr.build(spec, classes=4)(images(1, 16, 16, 16, 1)).shape == (1, 4)


@pytest.mark.parametrize(
    ("name", "options", "said"),
    [
        ("resnet18", {"classes": 0}, r"classes: .* received \(0,\)"),
        ("resnet18", {"classes": "ten"}, "received"),
        ("resnet18", {"dropout": "much"}, "received 'much'"),
        ("resnet18", {"weight_decay": None}, "received None"),
        ("resnet18", {"input_shape": (224, 224)}, r"3 entries.*received \(224, 224\)"),
        ("resnet18", {"input_shape": (224, 224, None)}, "channels must be known"),
        ("resnet18", {"input_shape": (0, 224, 3)}, "received"),
        ("resnet18", {"input_shape": 224}, "must be a tuple"),
        ("resnet18", {"input_shape": (32, 32, 3), "input_tensor": "x"}, "must be a Keras tensor"),
        ("resnet18", {"pooling": "avg"}, "include_top=False"),
        ("resnet18", {"pooling": "mean", "include_top": False}, "received 'mean'"),
        ("resnet18", {"features_only": True, "pooling": "avg"}, "feature maps"),
        ("resnet18", {"weight_decay": -1}, "received -1"),
        ("resnet18", {"decay_scope": "kernel"}, "received 'kernel'"),
        ("resnet18", {"decay_scope": ("weights",)}, "received"),
        ("resnet18", {"drop_path_rate": 1.0}, "drop_path_rate"),
        ("resnet18", {"dropout": -0.1}, "dropout"),
        ("resnet18", {"output_stride": 12}, r"\[4, 8, 16, 32\].*received 12"),
        ("resnet18", {"norm_epsilon": 0}, "norm_epsilon"),
        ("resnet18", {"kernel_initializer": "he"}, "received 'he'"),
        ("cifar_resnet20", {"output_stride": 8}, r"\[1, 2, 4\]"),
        ("plain18", {"zero_init_residual": True}, "plain network"),
        ("plain18", {"drop_path_rate": 0.1}, "plain network"),
        ("dense_resnet", {"output_stride": 8}, "output_stride"),
        ("dense_resnet", {"input_shape": (None, 8)}, "must be known"),
        ("resnetblur50", {"input_shape": (8, 8, 3)}, "larger input_shape"),
        ("vgg19", {"input_shape": (None, None, 3)}, "include_top=False"),
        ("vgg19", {"input_shape": (16, 16, 3)}, "at least 32x32"),
        ("resnet18", {"depths": (2, 2)}, "equal length"),
    ],
)
def test_refuses_nonsense_in_one_line(name, options, said):
    with pytest.raises(ValueError, match=said) as caught:
        kr.create_model(name, **options)
    assert "\n" not in str(caught.value)


def test_input_tensor_and_shape_must_agree():
    with pytest.raises(ValueError, match="disagree"):
        kr.build(BASIC, input_tensor=keras.Input((32, 32, 3)), input_shape=(64, 64, 3))


@pytest.mark.parametrize(("kind", "kurtosis"), [("he_uniform", 1.8), ("he_normal", 3.0)])
def test_kernels_start_with_the_variance_of_he(kind, kurtosis):
    """arXiv:1502.01852, equation 14: 2 / fan-out; a uniform distribution has kurtosis 9/5, a normal one 3."""
    model = kr.create_model("resnet18", input_shape=(32, 32, 3), kernel_initializer=kind)
    kernel = numpy(model.get_layer("stage3_block2_conv1").kernel)
    assert kernel.var() == pytest.approx(2 / (9 * 256), rel=0.01)
    assert (kernel**4).mean() / kernel.var() ** 2 == pytest.approx(kurtosis, rel=0.02)
    other = numpy(model.get_layer("stage3_block2_conv2").kernel)  # of the same shape, but drawn anew
    assert abs(np.corrcoef(kernel.ravel(), other.ravel())[0, 1]) < 0.01
