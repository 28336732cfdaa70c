"""A network as plain data: what a paper's architecture table says, and nothing about training or use."""

from dataclasses import dataclass, fields
from numbers import Integral, Real
from typing import Any, Literal, get_args, get_type_hints

GROUP_NORM_GROUPS = 32  # Wu & He 2018 (arXiv:1803.08494), and BiT


@dataclass(frozen=True)
class Spec:
    """A residual network as frozen data; refuses what cannot be built.

    Every network of the zoo is one such value, and any other is made with `dataclasses.replace` or from scratch.

    Args:
        depths: Residual units in each stage, e.g. `(3, 4, 6, 3)` for ResNet-50.
        widths: Channels that the units of each stage give out, e.g. `(256, 512, 1024, 2048)`.
        block: `"basic"` (two 3x3 convolutions) or `"bottleneck"` (1x1, 3x3, 1x1); arXiv:1512.03385, figure 5.
        ratio: Inner width / outer width of a unit: 1 for basic, 1/4 for the bottleneck of ResNet-50, 1/2 for Wide
            ResNet-50-2.
        groups: Groups of the bottleneck's 3x3 convolution, the cardinality of ResNeXt (arXiv:1611.05431).
        stem: `"conv7"` (7x7, stride 2), `"conv3"` (3x3, stride 1: CIFAR), `"deep"` (three 3x3, the first with stride 2:
            ResNet-C, arXiv:1812.01187) or `"dense"` (one fully connected layer: rank 0).
        stem_width: Channels that the stem gives out.
        pool: What follows the stem with stride 2: `"max"` (3x3, padded as torch pads it), `"max_zero"` (padded with
            zeros: BiT), `"conv"` (a 3x3 convolution: ResNet-RS) or `None`.
        order: `"post"`: relu(F(x) + x) of 2015; `"pre"`: norm and activation before each convolution
            (arXiv:1603.05027).
        stride_at: Which convolution of a bottleneck carries the stride: `"1x1"` (2015) or `"3x3"` (known as v1.5).
        stride_in: Which unit of a stage halves the size: the `"first"`, or the `"last"` of the stage before, as in the
            pre-activation networks of keras.applications, whose shortcut there is the subsampled input.
        bias: Biases on the convolutions that no norm follows, in order "pre": the stem's, the units' last and the
            projections (keras.applications).
        shortcut: `"none"` (a plain network); `"A"` (subsample and pad with zero channels, half on each side: no
            parameters); `"B"` (1x1 projection where the shape changes); `"C"` (projection in every unit); `"avg"` (as
            B, with average pooling in place of the stride: ResNet-D).
        se: Squeeze-and-excitation, inner width / channels (arXiv:1709.01507): 0 for none, 1/16, or 1/4 in ResNet-RS.
        norm: `"batch"` or `"group"` (32 groups).
        standardize: Weight-standardised convolutions (arXiv:1903.10520), as in BiT.
        blur: Anti-aliased downsampling (arXiv:1904.11486): a binomial filter after the activation that follows a
            strided convolution.
        activation: Name of a Keras activation.
        rank: Spatial dimensions: 2 for images, 1 for series, 3 for volumes, 0 for fully connected units.
        input_shape: The shape, without the batch, of the data that the network was published for: the builder's
            default.
        classes: Likewise the number of classes.

    Raises:
        ValueError: for a combination that cannot be built, naming what was received.

    Example:

    >>> from dataclasses import replace
    >>> tiny = Spec(depths=(1, 1), widths=(16, 32), block="basic", ratio=1, stem="conv3", stem_width=16, pool=None)
    >>> replace(tiny, shortcut="none").shortcut
    'none'
    >>> replace(tiny, groups=0)
    Traceback (most recent call last):
    ...
    ValueError: stem_width, groups, classes: whole numbers of at least 1 are needed; received (16, 0, 1000).
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    block: Literal["basic", "bottleneck"] = "bottleneck"
    ratio: float = 1 / 4
    groups: int = 1
    stem: Literal["conv7", "conv3", "deep", "dense"] = "conv7"
    stem_width: int = 64
    pool: Literal["max", "max_zero", "conv", None] = "max"
    order: Literal["post", "pre"] = "post"
    stride_at: Literal["1x1", "3x3"] = "3x3"
    stride_in: Literal["first", "last"] = "first"
    bias: bool = False
    shortcut: Literal["none", "A", "B", "C", "avg"] = "B"
    se: float = 0.0
    norm: Literal["batch", "group"] = "batch"
    standardize: bool = False
    blur: bool = False
    activation: str = "relu"
    rank: Literal[0, 1, 2, 3] = 2
    input_shape: tuple[int | None, ...] = (224, 224, 3)
    classes: int = 1000

    def __post_init__(self) -> None:
        _make_tuples(self)
        _check_choices(self)
        self._check_sizes()
        self._check_pairs()

    @property
    def inner_widths(self) -> tuple[int, ...]:
        """Channels inside the units of each stage: width x ratio."""
        return tuple(round(width * self.ratio) for width in self.widths)

    def _check_sizes(self) -> None:
        check_counts("depths", self.depths)
        check_counts("widths", self.widths)
        check_counts("stem_width, groups, classes", (self.stem_width, self.groups, self.classes))
        if len(self.depths) != len(self.widths):
            raise ValueError(
                f"Spec: depths and widths must be of equal length; received depths={self.depths}, widths={self.widths}."
            )
        check_number("Spec: se", self.se, 0, 1)
        check_number("Spec: ratio", self.ratio, 0, 64)
        for width, inner in zip(self.widths, self.inner_widths, strict=True):
            if inner < 1 or abs(width * self.ratio - inner) > 1e-6 or inner % self.groups:
                raise ValueError(
                    "Spec: width x ratio must be a whole number that groups divides; "
                    f"received width={width}, ratio={self.ratio}, groups={self.groups}."
                )
        normed = {self.stem_width, *self.widths, *self.inner_widths}
        if self.norm == "group" and any(width % GROUP_NORM_GROUPS for width in normed):
            raise ValueError(
                f"Spec: norm='group' needs widths that are multiples of {GROUP_NORM_GROUPS}; received {sorted(normed)}."
            )

    def _check_pairs(self) -> None:
        if self.block == "basic" and (self.ratio, self.groups, self.stride_at) != (1, 1, "3x3"):
            raise ValueError(
                'Spec: a basic block has ratio=1, groups=1 and stride_at="3x3"; '
                f"received ratio={self.ratio}, groups={self.groups}, stride_at={self.stride_at!r}."
            )
        if self.bias and self.order == "post":
            raise ValueError('Spec: bias=True is for order="pre": in order "post" a norm follows every convolution.')
        if self.stride_in == "last" and self.shortcut not in ("none", "B"):
            raise ValueError(f'Spec: stride_in="last" goes with shortcut "B" or "none"; received {self.shortcut!r}.')
        if self.shortcut == "A":
            steps = [wide - narrow for narrow, wide in zip((self.stem_width, *self.widths), self.widths, strict=False)]
            if any(step < 0 or step % 2 for step in steps):
                raise ValueError(
                    "Spec: shortcut='A' pads channels on both sides, so widths must grow by even numbers; "
                    f"received stem_width={self.stem_width}, widths={self.widths}."
                )
        if (self.rank == 0) != (self.stem == "dense"):
            raise ValueError(
                "Spec: rank=0 goes with stem='dense' and with nothing else; "
                f"received rank={self.rank}, stem={self.stem!r}."
            )
        spatial = {"pool": self.pool, "se": self.se, "blur": self.blur, "standardize": self.standardize}
        if self.rank == 0 and (any(spatial.values()) or self.shortcut == "avg" or self.groups > 1):
            raise ValueError(
                "Spec: fully connected units (rank=0) have no pool, se, blur, standardize, groups or shortcut='avg'; "
                f"received {self}."
            )
        if self.standardize and self.rank != 2:
            raise ValueError(f"Spec: standardize=True is for images (rank=2); received rank={self.rank}.")
        if self.rank and len(self.input_shape) != self.rank + 1:
            raise ValueError(
                f"Spec: input_shape must have {self.rank} sizes and the channels; received {self.input_shape}."
            )


@dataclass(frozen=True)
class VGGSpec:
    """A VGG network (arXiv:1409.1556) as frozen data: the shortcut-free third column of figure 3 of arXiv:1512.03385.

    Args:
        depths: 3x3 convolutions in each stage; a 2x2 max-pooling ends each stage.
        widths: Channels of each stage.
        hidden: Width of the two fully connected layers before the classifier.
        input_shape: Default input shape of the builder, without the batch.
        classes: Default number of classes.

    Raises:
        ValueError: for sizes that cannot be built.

    Example:

    >>> VGGSpec(depths=(2, 2, 4, 4, 4), widths=(64, 128, 256, 512, 512)).hidden
    4096
    """

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    hidden: int = 4096
    input_shape: tuple[int | None, ...] = (224, 224, 3)
    classes: int = 1000

    def __post_init__(self) -> None:
        _make_tuples(self)
        check_counts("depths", self.depths)
        check_counts("widths", self.widths)
        check_counts("hidden, classes", (self.hidden, self.classes))
        if len(self.depths) != len(self.widths):
            raise ValueError(
                "VGGSpec: depths and widths must be of equal length; "
                f"received depths={self.depths}, widths={self.widths}."
            )


def check_counts(name: str, values: tuple[Any, ...]) -> None:
    """Raise ValueError unless every value is a whole number of at least 1 and there is one at all."""
    if not values or any(isinstance(value, bool) or not isinstance(value, Integral) or value < 1 for value in values):
        raise ValueError(f"{name}: whole numbers of at least 1 are needed; received {values}.")


def check_number(name: str, value: Any, low: float, high: float) -> None:
    """Raise ValueError unless the value is a number in [low, high]."""
    if isinstance(value, bool) or not isinstance(value, Real) or not low <= float(value) <= high:
        raise ValueError(f"{name} must be a number in [{low:g}, {high:g}]; received {value!r}.")


def _make_tuples(spec: Spec | VGGSpec) -> None:
    """Accept lists, as JSON gives them."""
    for name in ("depths", "widths", "input_shape"):
        value = getattr(spec, name)
        if not isinstance(value, list | tuple):
            raise ValueError(f"{type(spec).__name__}: {name} must be a tuple; received {value!r}.")
        object.__setattr__(spec, name, tuple(value))


def _check_choices(spec: Spec) -> None:
    hints = get_type_hints(Spec)
    for field in fields(spec):
        value, choices = getattr(spec, field.name), get_args(hints[field.name])
        if None in choices or isinstance(choices[0] if choices else None, str | int):
            if value not in choices:
                raise ValueError(
                    f"Spec: {field.name} must be one of {', '.join(map(repr, choices))}; received {value!r}."
                )
        elif hints[field.name] is bool and not isinstance(value, bool):
            raise ValueError(f"Spec: {field.name} must be True or False; received {value!r}.")
