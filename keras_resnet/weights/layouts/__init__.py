"""The layouts that are known, and which of them a file has."""

from collections.abc import Collection, Iterable

from keras_resnet.weights.errors import WeightsError
from keras_resnet.weights.layouts import bit, keras, torch
from keras_resnet.weights.layouts.base import Layout

LAYOUTS = (
    bit.OWN,
    torch.TORCHVISION,
    torch.TIMM,
    torch.TIMM_D,
    torch.TIMM_V2,
    torch.AKAMASTER,
    torch.TORCHVISION_VGG,
    torch.TIMM_VGG,
    keras.APPLICATIONS,
    keras.APPLICATIONS_V2,
    keras.APPLICATIONS_VGG,
    keras.HUB,
    keras.HUB_V2,
    bit.BIT,
)
FAMILIES = tuple(dict.fromkeys(layout.family for layout in LAYOUTS))


def recognise(keys: Collection[str], variables: Collection[tuple[str, str]], layers: Iterable[str]) -> Layout:
    """The layout under which a file's names and a model's variables have most in common.

    Args:
        keys: Names of the file's arrays.
        variables: (layer, variable) of the model.
        layers: Names of all its layers.

    Raises:
        WeightsError: where no layout explains the names, or the one that does has no network of this model's form.
    """
    known = set(keys)
    layers = list(layers)
    weighted = {layer for layer, _ in variables}

    def shared(layout: Layout) -> int:
        return len(known & {layout.key(*variable) for variable in variables})

    best = max(LAYOUTS, key=lambda layout: (shared(layout), layout.fits(layers, weighted)))
    if not shared(best):
        raise WeightsError(
            f"none of the known layouts explains its names, such as {', '.join(sorted(known)[:3])}; "
            f"tried {', '.join(layout.name for layout in LAYOUTS)}."
        )
    if not best.fits(layers, weighted):
        raise WeightsError(f"its layout is {best.name}, for {best.networks}; the model is of another form.")
    return best


def find(family: str, layers: Iterable[str], weighted: Collection[str]) -> Layout:
    """The layout of a peer that fits a model.

    Raises:
        WeightsError: for an unknown peer, or one that has no such network.
    """
    candidates = [layout for layout in LAYOUTS if layout.family == family]
    if not candidates:
        raise WeightsError(f"unknown layout {family!r}; known are {', '.join(FAMILIES)}.")
    layers = list(layers)
    for layout in candidates:
        if layout.fits(layers, weighted):
            return layout
    networks = "; ".join(layout.networks for layout in candidates)
    raise WeightsError(f"{family} has no network of this model's form; it has {networks}.")
