"""Keras peers: keras.applications (post- and pre-activation, VGG) and keras-hub."""

from keras_resnet.weights.layouts.base import UNIT, Layout

_APPLICATIONS_EPSILON = 1.001e-5
_APPLICATIONS_UNIT = (
    (UNIT + r"conv(?P<i>\d)", "conv{s1}_block{b}_{i}_conv"),
    (UNIT + "shortcut_conv", "conv{s1}_block{b}_0_conv"),
)
_HUB_UNIT = (
    (UNIT + r"conv(?P<i>\d)", "stack{s0}_block{b0}_{i}_conv"),
    (UNIT + "shortcut_conv", "stack{s0}_block{b0}_0_conv"),
)
_HUB_STEM = (
    ("stem_conv", "conv1_conv"),
    ("stem_norm", "conv1_bn"),
    (r"stem_conv(?P<i>\d)", "conv{i}_conv"),
    (r"stem_norm(?P<i>\d)", "conv{i}_bn"),
)

APPLICATIONS = Layout(
    name="keras.applications resnet",
    family="keras_applications",
    rules=(
        ("stem_conv", "conv1_conv"),
        ("stem_norm", "conv1_bn"),
        *_APPLICATIONS_UNIT,
        (UNIT + r"norm(?P<i>\d)", "conv{s1}_block{b}_{i}_bn"),
        (UNIT + "shortcut_norm", "conv{s1}_block{b}_0_bn"),
        ("predictions", "predictions"),
    ),
    lacks="_blur|_shortcut_pool|head_norm",
    strided="1x1",
    folds_biases=True,
    epsilon=_APPLICATIONS_EPSILON,
    networks="resnet50_v1, resnet101_v1, resnet152_v1",
)
APPLICATIONS_V2 = Layout(
    name="keras.applications resnet_v2",
    family="keras_applications",
    rules=(
        ("stem_conv", "conv1_conv"),
        *_APPLICATIONS_UNIT,
        (UNIT + "norm1", "conv{s1}_block{b}_preact_bn"),
        (UNIT + r"norm(?P<i>\d)", "conv{s1}_block{b}_{i0}_bn"),
        ("head_norm", "post_bn"),
        ("predictions", "predictions"),
    ),
    needs="head_norm",
    epsilon=_APPLICATIONS_EPSILON,
    networks="resnetv2_50_keras, resnetv2_101_keras, resnetv2_152_keras",
)
APPLICATIONS_VGG = Layout(
    name="keras.applications vgg19",
    family="keras_applications",
    rules=(
        (r"stage(?P<s>\d)_conv(?P<i>\d)", "block{s}_conv{i}"),
        (r"head_dense(?P<i>\d)", "fc{i}"),
        ("predictions", "predictions"),
    ),
    networks="vgg19",
)
HUB = Layout(
    name="keras-hub resnet",
    family="keras_hub",
    rules=(
        *_HUB_STEM,
        *_HUB_UNIT,
        (UNIT + r"norm(?P<i>\d)", "stack{s0}_block{b0}_{i}_bn"),
        (UNIT + "shortcut_norm", "stack{s0}_block{b0}_0_bn"),
        ("predictions", "predictions"),
    ),
    lacks="_blur|head_norm",
    networks="resnet18 to resnet152, resnet50d to resnet200d",
)
HUB_V2 = Layout(
    name="keras-hub resnet_v2",
    family="keras_hub",
    rules=(
        *_HUB_STEM,
        *_HUB_UNIT,
        (UNIT + "norm1", "stack{s0}_block{b0}_pre_activation_bn"),
        (UNIT + r"norm(?P<i>\d)", "stack{s0}_block{b0}_{i0}_bn"),
        ("head_norm", "post_bn"),
        ("predictions", "predictions"),
    ),
    needs="head_norm",
    networks="resnetv2_50, resnetv2_101, resnetv2_152",
)
