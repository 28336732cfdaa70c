"""Big Transfer's own npz files (github.com/google-research/big_transfer), and this package's own layout."""

from keras_resnet.weights.layouts.base import UNIT, Layout

OWN = Layout(name="keras_resnet", family="keras_resnet", rules=((r"(?P<name>.+)", "{name}"),), strided="")
_LETTERED = "resnet/block{s}/unit{b:02d}/{letter}/"
BIT = Layout(
    name="BiT npz",
    family="bit",
    rules=(
        ("stem_conv", "resnet/root_block/standardized_conv2d"),
        (UNIT + r"conv(?P<i>\d)", _LETTERED + "standardized_conv2d"),
        (UNIT + r"norm(?P<i>\d)", _LETTERED + "group_norm"),
        (UNIT + "shortcut_conv", "resnet/block{s}/unit{b:02d}/a/proj/standardized_conv2d"),
        ("head_norm", "resnet/group_norm"),
        ("predictions", "resnet/head/conv2d"),
    ),
    dense={"predictions": (1, 1)},
    needs="head_norm",
    networks="resnetv2_*_bit",
)
