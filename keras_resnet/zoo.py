"""Every named network: one line each, with its trainable parameters and its paper.

Names are the field's: timm's where timm has the network. Parameters are trainable ones at the default number of
classes.
"""

from dataclasses import replace

from keras_resnet.spec import Spec, VGGSpec

_WIDE = (256, 512, 1024, 2048)
_r18 = Spec((2, 2, 2, 2), (64, 128, 256, 512), block="basic", ratio=1)
_r34 = replace(_r18, depths=(3, 4, 6, 3))
_r50 = Spec((3, 4, 6, 3), _WIDE)
_r101 = replace(_r50, depths=(3, 4, 23, 3))
_r152 = replace(_r50, depths=(3, 8, 36, 3))
_r200 = replace(_r50, depths=(3, 24, 36, 3))


def _deep(spec: Spec) -> Spec:
    """C of arXiv:1812.01187: three 3x3 convolutions in place of the 7x7."""
    return replace(spec, stem="deep")


def _d(spec: Spec) -> Spec:
    """D of arXiv:1812.01187: C, and average pooling before each strided projection."""
    return replace(spec, stem="deep", shortcut="avg")


def _rs(*depths: int) -> Spec:
    """ResNet-RS of arXiv:2103.07579: D, squeeze-and-excitation, and a strided convolution in place of the max-
    pooling."""
    return replace(_d(_r50), depths=depths, se=1 / 4, pool="conv")


def _bit(spec: Spec, factor: int) -> Spec:
    """BiT of arXiv:1912.11370: pre-activation, group norm, standardised weights, `factor` times as wide."""
    widths = tuple(factor * width for width in _WIDE)
    return replace(
        spec, widths=widths, stem_width=64 * factor, order="pre", norm="group", standardize=True, pool="max_zero"
    )


def _keras_v2(spec: Spec) -> Spec:
    """The pre-activation networks of keras.applications, which differ from those of arXiv:1603.05027."""
    return replace(spec, order="pre", pool="max_zero", stride_in="last", bias=True)


def _cifar(units: int, **changes: object) -> Spec:
    """The CIFAR networks of arXiv:1512.03385, section 4.2: three stages of `units` basic units, depth 6 x units + 2,
    shortcut A."""
    base = Spec(
        (units,) * 3,
        (16, 32, 64),
        "basic",
        1,
        stem="conv3",
        stem_width=16,
        pool=None,
        shortcut="A",
        input_shape=(32, 32, 3),
        classes=10,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def _cifar_v2(units: int, **changes: object) -> Spec:
    """Pre-activation CIFAR networks (arXiv:1603.05027): projections where the channels change, as in the authors'
    release."""
    return _cifar(units, order="pre", shortcut="B", **changes)


def _cifar_v2_bottleneck(units: int) -> Spec:
    """Bottleneck form of the above, depth 9 x units + 2."""
    return _cifar_v2(units, block="bottleneck", ratio=1 / 4, widths=(64, 128, 256))


def _cifar_fast(depths: tuple[int, ...], widths: tuple[int, ...]) -> Spec:
    """For training in little time: few wide units, average pooling in the shortcuts (arXiv:1812.01187)."""
    return _cifar(1, depths=depths, widths=widths, stem_width=widths[0], shortcut="avg")


def _wrn(depth: int, factor: int) -> Spec:
    """Wide residual networks for CIFAR (arXiv:1605.07146): depth 6 x units + 4, `factor` times as wide."""
    return _cifar_v2((depth - 4) // 6, widths=(16 * factor, 32 * factor, 64 * factor))


def _dense(units: int, width: int) -> Spec:
    """A residual network of fully connected layers: `units` basic units of one width."""
    shape = {"stem": "dense", "stem_width": width, "pool": None, "rank": 0, "input_shape": (784,)}
    return Spec((units,), (width,), "basic", 1, classes=10, **shape)  # type: ignore[arg-type]


ZOO: dict[str, Spec | VGGSpec] = {
    # Deep Residual Learning, arXiv:1512.03385; the stride of a bottleneck on its 3x3 (v1.5: fb.resnet.torch,
    # torchvision)
    "resnet18": _r18,  # 11,689,512
    "resnet34": _r34,  # 21,797,672
    "resnet50": _r50,  # 25,557,032
    "resnet101": _r101,  # 44,549,160
    "resnet152": _r152,  # 60,192,808
    "resnet200": _r200,  # 64,673,832
    # the originals: the stride on the first 1x1
    "resnet50_v1": replace(_r50, stride_at="1x1"),  # 25,557,032
    "resnet101_v1": replace(_r101, stride_at="1x1"),  # 44,549,160
    "resnet152_v1": replace(_r152, stride_at="1x1"),  # 60,192,808
    # the controls of 1512.03385: no shortcuts
    "plain18": replace(_r18, shortcut="none"),  # 11,515,688
    "plain34": replace(_r34, shortcut="none"),  # 21,623,848
    # Very Deep Convolutional Networks, arXiv:1409.1556: the third column of figure 3
    "vgg19": VGGSpec((2, 2, 4, 4, 4), (64, 128, 256, 512, 512)),  # 143,667,240
    # Identity Mappings, arXiv:1603.05027
    "resnetv2_18": replace(_r18, order="pre"),  # 11,687,720
    "resnetv2_34": replace(_r34, order="pre"),  # 21,795,880
    "resnetv2_50": replace(_r50, order="pre"),  # 25,549,352
    "resnetv2_101": replace(_r101, order="pre"),  # 44,541,480
    "resnetv2_152": replace(_r152, order="pre"),  # 60,185,128
    "resnetv2_200": replace(_r200, order="pre"),  # 64,666,152
    # keras.applications' form of it: the stride in a stage's last unit, biases, zeros around the max-pooling
    "resnetv2_50_keras": _keras_v2(_r50),  # 25,568,360
    "resnetv2_101_keras": _keras_v2(_r101),  # 44,577,896
    "resnetv2_152_keras": _keras_v2(_r152),  # 60,236,904
    # Wide Residual Networks, arXiv:1605.07146
    "wide_resnet50_2": replace(_r50, ratio=1 / 2),  # 68,883,240
    "wide_resnet101_2": replace(_r101, ratio=1 / 2),  # 126,886,696
    # Aggregated Residual Transformations, arXiv:1611.05431
    "resnext50_32x4d": replace(_r50, ratio=1 / 2, groups=32),  # 25,028,904
    "resnext101_32x4d": replace(_r101, ratio=1 / 2, groups=32),  # 44,177,704
    "resnext101_32x8d": replace(_r101, ratio=1, groups=32),  # 88,791,336
    "resnext101_64x4d": replace(_r101, ratio=1, groups=64),  # 83,455,272
    # Squeeze-and-Excitation, arXiv:1709.01507
    "seresnet18": replace(_r18, se=1 / 16),  # 11,779,624
    "seresnet34": replace(_r34, se=1 / 16),  # 21,960,416
    "seresnet50": replace(_r50, se=1 / 16),  # 28,088,024
    "seresnet101": replace(_r101, se=1 / 16),  # 49,326,872
    "seresnet152": replace(_r152, se=1 / 16),  # 66,821,848
    # Bag of Tricks, arXiv:1812.01187
    "resnet50c": _deep(_r50),  # 25,576,264
    "resnet18d": _d(_r18),  # 11,708,744
    "resnet34d": _d(_r34),  # 21,816,904
    "resnet50d": _d(_r50),  # 25,576,264
    "resnet101d": _d(_r101),  # 44,568,392
    "resnet152d": _d(_r152),  # 60,212,040
    "resnet200d": _d(_r200),  # 64,693,064
    # Revisiting ResNets, arXiv:2103.07579
    "resnetrs50": _rs(3, 4, 6, 3),  # 35,691,912
    "resnetrs101": _rs(3, 4, 23, 3),  # 63,618,696
    "resnetrs152": _rs(3, 8, 36, 3),  # 86,621,576
    "resnetrs200": _rs(3, 24, 36, 3),  # 93,209,992
    "resnetrs270": _rs(4, 29, 53, 4),  # 129,861,448
    "resnetrs350": _rs(4, 36, 72, 4),  # 163,956,168
    "resnetrs420": _rs(4, 44, 87, 4),  # 191,891,656
    # Making Convolutional Networks Shift-Invariant Again, arXiv:1904.11486
    "resnetblur50": replace(_r50, blur=True),  # 25,557,032
    # Big Transfer, arXiv:1912.11370
    "resnetv2_50x1_bit": _bit(_r50, 1),  # 25,549,352
    "resnetv2_50x3_bit": _bit(_r50, 3),  # 217,319,080
    "resnetv2_101x1_bit": _bit(_r101, 1),  # 44,541,480
    "resnetv2_101x3_bit": _bit(_r101, 3),  # 387,934,888
    "resnetv2_152x2_bit": _bit(_r152, 2),  # 236,335,208
    "resnetv2_152x4_bit": _bit(_r152, 4),  # 936,533,224
    # CIFAR, arXiv:1512.03385 section 4.2, and its plain twins
    "cifar_resnet20": _cifar(3),  # 269,722
    "cifar_resnet32": _cifar(5),  # 464,154
    "cifar_resnet44": _cifar(7),  # 658,586
    "cifar_resnet56": _cifar(9),  # 853,018
    "cifar_resnet110": _cifar(18),  # 1,727,962
    "cifar_resnet1202": _cifar(200),  # 19,421,274
    "cifar_plain20": _cifar(3, shortcut="none"),  # 269,722
    "cifar_plain32": _cifar(5, shortcut="none"),  # 464,154
    "cifar_plain44": _cifar(7, shortcut="none"),  # 658,586
    "cifar_plain56": _cifar(9, shortcut="none"),  # 853,018
    "cifar_plain110": _cifar(18, shortcut="none"),  # 1,727,962
    # CIFAR, arXiv:1603.05027
    "cifar_resnetv2_110": _cifar_v2(18),  # 1,730,522
    "cifar_resnetv2_164": _cifar_v2_bottleneck(18),  # 1,703,258
    "cifar_resnetv2_1001": _cifar_v2_bottleneck(111),  # 10,327,706
    # CIFAR, arXiv:1605.07146
    "cifar_wrn16_8": _wrn(16, 8),  # 10,961,370
    "cifar_wrn28_10": _wrn(28, 10),  # 36,479,194
    "cifar_wrn40_4": _wrn(40, 4),  # 8,949,210
    # CIFAR in little time: recipes/cifar10.py speed, benchmarks/gpu.py speed
    "cifar_resnet10_w32": _cifar_fast((1, 1, 1, 1), (32, 128, 256, 256)),  # 2,377,002
    "cifar_resnet14_w64": _cifar_fast((1, 2, 2, 1), (64, 128, 256, 512)),  # 6,379,338
    # the same unit with another transform: fully connected layers, and convolutions over series
    "dense_resnet": _dense(units=4, width=256),  # 732,170
    "dense_plain": replace(_dense(units=4, width=256), shortcut="none"),  # 732,170
    "resnet1d18": replace(_r18, rank=1, input_shape=(1024, 1), classes=10),  # 3,849,034
}
