"""From a name to a model: create_model, list_models, and keras.applications-style functions such as ResNet50(...)."""

import difflib
import fnmatch
import inspect
from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import keras

from keras_resnet.network import build_resnet
from keras_resnet.spec import Spec, VGGSpec
from keras_resnet.vgg import build_vgg
from keras_resnet.zoo import ZOO


def list_models(pattern: str = "*") -> list[str]:
    """Names of the zoo that match a shell pattern, sorted.

    Example:

    >>> list_models("plain*")
    ['plain18', 'plain34']
    """
    return sorted(fnmatch.filter(ZOO, pattern))


def get_spec(name: str) -> Spec | VGGSpec:
    """The Spec of a named network.

    Raises:
        ValueError: for an unknown name, with the nearest known ones.

    Example:

    >>> get_spec("resnet34").depths
    (3, 4, 6, 3)
    >>> get_spec("resnet51")
    Traceback (most recent call last):
    ...
    ValueError: unknown network 'resnet51'; did you mean resnet50, resnet18, resnet50_v1? list_models() names all.
    """
    if name not in ZOO:
        given = str(name).lower()
        near = [*list_models(f"{given}*"), *difflib.get_close_matches(given, ZOO, n=3, cutoff=0.5)][:3]
        hint = f"did you mean {', '.join(near)}? " if near else ""
        raise ValueError(f"unknown network {name!r}; {hint}list_models() names all.")
    return ZOO[name]


def build(spec: Spec | VGGSpec, **options: Any) -> keras.Model:
    """Build any network, named or not, as an ordinary Keras functional model with channels-last tensors.

    Args:
        spec: The network.
        include_top: Whether to end with global pooling and a classifier (True).
        input_tensor: A Keras tensor to build upon (None: a new input).
        input_shape: Sizes and channels, without the batch; sizes may be None, any number of channels (the Spec's, e.g.
            (224, 224, 3)).
        pooling: Without the top: `"avg"`, `"max"` or None, the feature map (None).
        classes: Number of classes (the Spec's).
        classifier_activation: Activation of the classifier; None for logits (`"softmax"`).
        name: The model's name.
        weight_decay: L2 penalty: weight_decay x (sum of squares) is added to the loss (0). Its gradient is 2 x
            weight_decay x w, so a paper's or torch's decay of 1e-4 under SGD is `weight_decay=0.5e-4` here. With
            adaptive optimisers it is not the same as decoupled decay (arXiv:1711.05101): for that leave it at 0 and use
            `keras.optimizers.AdamW`.
        decay_scope: Which weights decay, of "kernel", "bias", "gamma", "beta" (`("kernel",)`).
        zero_init_residual: Start every residual branch at zero: its last norm scale, or in order "pre" its last
            convolution (False).
        drop_path_rate: Stochastic depth, the rate of the last unit; it grows linearly from 0 at the first (0).
        dropout: Rate before the classifier (0; VGG 0.5).
        block_dropout: Rate before the last convolution of each unit, as in wide residual networks (0).
        output_stride: Keep feature maps at this stride, by dilation: 8, 16 or 32 for ImageNet networks (None: no
            dilation).
        kernel_initializer: `"he_uniform"` or `"he_normal"`, both with variance 2 / fan-out; drawing normal numbers
            takes twice as long (`"he_uniform"`).
        norm_momentum: Momentum of batch normalisation, in Keras' sense (0.9; torch calls it 0.1).
        norm_epsilon: Added to the variance in every norm (1e-5).
        synchronized: Batch statistics over all replicas (False).
        features_only: Return the stages' outputs instead, a dictionary `{"C2": ..., "C3": ..., ...}` (False). In order
            "pre" the last one has passed the final norm; the others are the units' raw sums.
        dtype: Dtype or policy of every layer, e.g. "mixed_bfloat16" (Keras' global policy); the classifier stays
            float32 under a mixed one.

    Returns:
        A `keras.Model`: `(batch, *input_shape)` to `(batch, classes)`, or features.

    Raises:
        ValueError: for an option that cannot be, naming what was received.
        TypeError: for an option that does not exist, with the nearest ones.

    Example:

    >>> spec = Spec((1, 1), (8, 16), block="basic", ratio=1, stem="conv3", stem_width=8, pool=None)
    >>> build(spec, input_shape=(8, 8, 1), classes=3).output_shape
    (None, 3)
    """
    if not isinstance(spec, Spec | VGGSpec):
        raise ValueError(
            f"build takes a Spec, such as get_spec('resnet50'); for a name call create_model; received {spec!r}."
        )
    _refuse_unknown(options, _option_names(spec))
    return _builder(spec)(spec, **options)


def create_model(name: str, *, weights: str | None = None, **options: Any) -> keras.Model:
    """Build a named network.

    Args:
        name: One of `list_models()`.
        weights: None for random weights; "imagenet" for the best open ones; a tag such as "resnet50.tv2_in1k"; or the
            path of a file from anywhere, which `load_weights` recognises (None). With a tag, `classes` defaults to the
            tag's; another number of classes keeps everything but the head.
        **options: Those of `build`; and any field of Spec, which then replaces the table's value, e.g. `shortcut="A"`
            or `activation="silu"`.

    Returns:
        A `keras.Model` called `name`.

    Raises:
        ValueError: for an unknown network or an impossible option.
        TypeError: for an option that does not exist, with the nearest ones.

    Example:

    >>> create_model("cifar_resnet20", shortcut="B", input_shape=(None, None, 1), classes=7).output_shape
    (None, 7)
    """
    return _create(name, weights=weights, name=name, **options)


def _create(network: str, *, weights: str | None = None, **options: Any) -> keras.Model:
    spec = get_spec(network)
    shared = {"input_shape", "classes"}  # defaults of the Spec, but arguments of the builder
    spec_fields = {field.name for field in fields(spec)} - shared
    _refuse_unknown(options, [*_option_names(spec), *sorted(spec_fields)])
    spec = replace(spec, **{key: value for key, value in options.items() if key in spec_fields})
    tag = None if weights is None else _pretrained(network, weights)
    if tag is not None and options.get("classes") is None:
        options["classes"] = tag.classes
    model = build(spec, **{key: value for key, value in options.items() if key not in spec_fields})
    if weights is None:
        return model
    from keras_resnet.weights import load_weights

    if tag is not None:
        load_weights(model, tag.tag, skip_head=options["classes"] != tag.classes)
    else:
        load_weights(model, weights)
    return model


def _pretrained(network: str, weights: str) -> Any:
    """The entry of a tag, `"imagenet"` among them; None for a file.

    Raises:
        ValueError: for a tag of another network.
    """
    from keras_resnet.weights import hub

    tag = hub.best_tag(network) if weights == "imagenet" else weights
    if tag not in hub.TAGS:
        return None
    if hub.TAGS[tag].network != network:
        raise ValueError(f"{tag} holds weights of {hub.TAGS[tag].network}; received weights={weights!r} for {network}.")
    return hub.TAGS[tag]


def _builder(spec: Spec | VGGSpec) -> Callable[..., keras.Model]:
    return build_vgg if isinstance(spec, VGGSpec) else build_resnet


def _option_names(spec: Spec | VGGSpec) -> list[str]:
    return [name for name in inspect.signature(_builder(spec)).parameters if name != "spec"]


def _refuse_unknown(options: dict[str, Any], known: list[str]) -> None:
    for option in options:
        if option not in known:
            near = difflib.get_close_matches(option, known, n=3, cutoff=0.5) or sorted(known)
            raise TypeError(f"unknown option {option}={options[option]!r}; did you mean {', '.join(near)}?")


def _function(network: str) -> Callable[..., keras.Model]:
    """A function of keras.applications' signature for one named network."""
    default_classes = get_spec(network).classes

    def create(
        include_top: bool = True,
        weights: str | None = None,
        input_tensor: Any = None,
        input_shape: tuple[int | None, ...] | None = None,
        pooling: str | None = None,
        classes: int = default_classes,
        classifier_activation: str | None = "softmax",
        name: str = network,
        **options: Any,
    ) -> keras.Model:
        return _create(
            network,
            weights=weights,
            include_top=include_top,
            input_tensor=input_tensor,
            input_shape=input_shape,
            pooling=pooling,
            classes=classes,
            classifier_activation=classifier_activation,
            name=name,
            **options,
        )

    create.__doc__ = f"""Build `{network}`, with the signature of keras.applications' functions.

    Args:
        include_top, input_tensor, input_shape, pooling, classes, classifier_activation, name, **options: as of
        `keras_resnet.build`.
        weights: as of `keras_resnet.create_model`.

    Returns:
        A `keras.Model`.
    """
    return create


ResNet18, ResNet34 = _function("resnet18"), _function("resnet34")
ResNet50, ResNet101 = _function("resnet50"), _function("resnet101")
ResNet152, ResNet200 = _function("resnet152"), _function("resnet200")
ResNet18V2, ResNet34V2 = _function("resnetv2_18"), _function("resnetv2_34")
ResNet50V2, ResNet101V2 = _function("resnetv2_50"), _function("resnetv2_101")
ResNet152V2, ResNet200V2 = _function("resnetv2_152"), _function("resnetv2_200")
WideResNet50_2, WideResNet101_2 = _function("wide_resnet50_2"), _function("wide_resnet101_2")
ResNeXt50_32x4d, ResNeXt101_32x4d = _function("resnext50_32x4d"), _function("resnext101_32x4d")
ResNeXt101_32x8d, ResNeXt101_64x4d = _function("resnext101_32x8d"), _function("resnext101_64x4d")
SEResNet18, SEResNet34 = _function("seresnet18"), _function("seresnet34")
SEResNet50, SEResNet101, SEResNet152 = _function("seresnet50"), _function("seresnet101"), _function("seresnet152")
Plain18, Plain34, VGG19 = _function("plain18"), _function("plain34"), _function("vgg19")
DenseResNet, ResNet1D18 = _function("dense_resnet"), _function("resnet1d18")
