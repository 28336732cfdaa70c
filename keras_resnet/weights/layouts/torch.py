"""PyTorch peers: torchvision, timm's resnet, resnetv2 and vgg, and akamaster's CIFAR networks."""

from keras_resnet.weights.layouts.base import TORCH, UNIT, Layout

_PLAIN_STEM = (("stem_conv", "conv1"), ("stem_norm", "bn1"))
_BRANCH = ((UNIT + r"conv(?P<i>\d)", "layer{s}.{b0}.conv{i}"), (UNIT + r"norm(?P<i>\d)", "layer{s}.{b0}.bn{i}"))
_PROJECTION = (
    (UNIT + "shortcut_conv", "layer{s}.{b0}.downsample.0"),
    (UNIT + "shortcut_norm", "layer{s}.{b0}.downsample.1"),
)
_AVERAGED_PROJECTION = (  # an average pooling, or nothing in its place, comes first
    (UNIT + "shortcut_conv", "layer{s}.{b0}.downsample.1"),
    (UNIT + "shortcut_norm", "layer{s}.{b0}.downsample.2"),
)
_TIMM = (
    *_PLAIN_STEM,
    ("stem_conv1", "conv1.0"),
    ("stem_norm1", "conv1.1"),
    ("stem_conv2", "conv1.3"),
    ("stem_norm2", "conv1.4"),
    ("stem_conv3", "conv1.6"),
    ("stem_norm3", "bn1"),
    ("stem_pool_conv", "maxpool.0"),
    ("stem_pool_norm", "maxpool.1"),
    *_BRANCH,
    (UNIT + "se_reduce", "layer{s}.{b0}.se.fc1"),
    (UNIT + "se_expand", "layer{s}.{b0}.se.fc2"),
    ("predictions", "fc"),
)
_VGG_FEATURES = tuple(  # ReLU and pooling count as layers: two steps a convolution, one more a stage
    (rf"stage{stage}_conv{index}", f"features.{first + 2 * index - 2}")
    for stage, (first, depth) in enumerate([(0, 2), (5, 2), (10, 4), (19, 4), (28, 4)], 1)
    for index in range(1, depth + 1)
)

TORCHVISION = Layout(
    name="torchvision resnet",
    family="torchvision",
    rules=(*_PLAIN_STEM, *_BRANCH, *_PROJECTION, ("predictions", "fc")),
    variables=TORCH,
    separator=".",
    torch=True,
    lacks="_blur|_shortcut_pool",
    networks="resnet18 to resnet152, wide_resnet*, resnext*",
)
TORCHVISION_VGG = Layout(
    name="torchvision vgg19",
    family="torchvision",
    rules=(
        *_VGG_FEATURES,
        ("head_dense1", "classifier.0"),
        ("head_dense2", "classifier.3"),
        ("predictions", "classifier.6"),
    ),
    variables=TORCH,
    separator=".",
    torch=True,
    dense={"head_dense1": (7, 7)},
    flat=("head_dense1",),
    networks="vgg19",
)
TIMM = Layout(
    name="timm resnet",
    family="timm",
    rules=(*_TIMM, *_PROJECTION),
    variables=TORCH,
    separator=".",
    torch=True,
    lacks="_shortcut_pool",
    networks="resnet*, wide_resnet*, resnext*, seresnet*, resnet50c, resnetblur50",
)
TIMM_D = Layout(
    name="timm resnet-d",
    family="timm",
    rules=(*_TIMM, *_AVERAGED_PROJECTION),
    variables=TORCH,
    separator=".",
    torch=True,
    needs="_shortcut_pool",
    networks="resnet18d to resnet200d, resnetrs*",
)
TIMM_V2 = Layout(
    name="timm resnetv2",
    family="timm",
    rules=(
        ("stem_conv", "stem.conv"),
        (r"stem_conv(?P<i>\d)", "stem.conv{i}"),
        (r"stem_norm(?P<i>\d)", "stem.norm{i}"),
        (UNIT + r"conv(?P<i>\d)", "stages.{s0}.blocks.{b0}.conv{i}"),
        (UNIT + r"norm(?P<i>\d)", "stages.{s0}.blocks.{b0}.norm{i}"),
        (UNIT + "shortcut_conv", "stages.{s0}.blocks.{b0}.downsample.conv"),
        ("head_norm", "norm"),
        ("predictions", "head.fc"),
    ),
    variables=TORCH,
    separator=".",
    torch=True,
    dense={"predictions": (1, 1)},
    needs="head_norm",
    networks="resnetv2_18 to resnetv2_152, resnetv2_*_bit",
)
TIMM_VGG = Layout(
    name="timm vgg19",
    family="timm",
    rules=(
        *_VGG_FEATURES,
        ("head_dense1", "pre_logits.fc1"),
        ("head_dense2", "pre_logits.fc2"),
        ("predictions", "head.fc"),
    ),
    variables=TORCH,
    separator=".",
    torch=True,
    dense={"head_dense1": (7, 7), "head_dense2": (1, 1)},
    networks="vgg19",
)
AKAMASTER = Layout(
    name="akamaster CIFAR resnet",
    family="akamaster",
    rules=(
        *_PLAIN_STEM,
        *_BRANCH,
        (UNIT + "shortcut_conv", "layer{s}.{b0}.shortcut.0"),
        (UNIT + "shortcut_norm", "layer{s}.{b0}.shortcut.1"),
        ("predictions", "linear"),
    ),
    variables=TORCH,
    separator=".",
    torch=True,
    networks="cifar_resnet20 to cifar_resnet1202",
)
