"""A Spec refuses what cannot be built, and says what it received."""

import json
from dataclasses import asdict, replace

import pytest

from keras_resnet import Spec, VGGSpec, get_spec
from keras_resnet.zoo import ZOO

RESNET18, RESNET50, DENSE = get_spec("resnet18"), get_spec("resnet50"), get_spec("dense_resnet")


@pytest.mark.parametrize(
    ("spec", "changes", "said"),
    [
        (RESNET50, {"depths": (3, 4, 6)}, "equal length"),
        (RESNET50, {"depths": ()}, r"received \(\)"),
        (RESNET50, {"depths": (3, 4, 6, 0)}, r"received \(3, 4, 6, 0\)"),
        (RESNET50, {"depths": (3, 4, 6.0, 3)}, "whole numbers"),
        (RESNET50, {"depths": 3}, "must be a tuple; received 3"),
        (RESNET50, {"widths": (True, 2, 3, 4)}, "whole numbers"),
        (RESNET50, {"block": "bottle"}, "received 'bottle'"),
        (RESNET50, {"stem": None}, "received None"),
        (RESNET50, {"pool": "avg"}, "received 'avg'"),
        (RESNET50, {"shortcut": "D"}, "received 'D'"),
        (RESNET50, {"rank": 4}, "received 4"),
        (RESNET50, {"standardize": "yes"}, "True or False"),
        (RESNET50, {"se": 2}, "received 2"),
        (RESNET50, {"ratio": 1 / 3}, "whole number that groups divides"),
        (RESNET50, {"groups": 48}, "groups=48"),
        (RESNET50, {"norm": "group", "widths": (100, 200, 400, 800)}, "multiples of 32"),
        (RESNET50, {"stem": "dense"}, "rank=0"),
        (RESNET50, {"standardize": True, "rank": 1, "input_shape": (None, 1)}, "received rank=1"),
        (RESNET50, {"input_shape": (224, 3)}, "2 sizes"),
        (RESNET18, {"ratio": 1 / 4}, "basic block"),
        (RESNET18, {"groups": 2}, "basic block"),
        (RESNET18, {"stride_at": "1x1"}, "basic block"),
        (RESNET18, {"shortcut": "A", "widths": (64, 32, 64, 128)}, "grow by even numbers"),
        (RESNET18, {"shortcut": "A", "widths": (64, 65, 128, 256)}, "grow by even numbers"),
        (DENSE, {"rank": 2}, "rank=0"),
        (DENSE, {"se": 0.25}, "fully connected"),
        (DENSE, {"blur": True}, "fully connected"),
        (DENSE, {"shortcut": "avg"}, "fully connected"),
    ],
)
def test_refuses(spec, changes, said):
    with pytest.raises(ValueError, match=said) as caught:
        replace(spec, **changes)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("changes", [{"depths": (1,)}, {"widths": (0,) * 5}, {"hidden": 0}, {"input_shape": 32}])
def test_vgg_refuses(changes):
    with pytest.raises(ValueError, match="received"):
        replace(get_spec("vgg19"), **changes)


@pytest.mark.parametrize("name", ZOO)
def test_round_trips_through_json(name):
    """A run's config.json can hold a Spec: lists come back as tuples."""
    spec = ZOO[name]
    assert type(spec)(**json.loads(json.dumps(asdict(spec)))) == spec


def test_is_frozen_and_hashable():
    assert len({RESNET18, RESNET50, replace(RESNET50)}) == 2
    with pytest.raises(AttributeError):
        RESNET50.groups = 2
    assert isinstance(VGGSpec((1,), (8,)), VGGSpec)
    assert Spec((1,), (8,)).inner_widths == (2,)
