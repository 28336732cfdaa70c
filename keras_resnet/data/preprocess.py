"""Evaluation preprocessing as a value: what turns an image into the numbers that a set of weights was trained on.

One value, three uses that agree: a `tf.data` function (`preprocessing(image)`), NumPy (`preprocessing.numpy(image)`,
through Pillow, as torchvision and timm do), and layers in front of a model (`preprocessing.attach(model)`).
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import keras
import numpy as np

# Normalisations, as fields of Preprocessing
IMAGENET: dict[str, Any] = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}  # torchvision; Keras' "torch"
HALF: dict[str, Any] = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}  # to [-1, 1]
UNIT_RANGE: dict[str, Any] = HALF  # x / 127.5 - 1: Keras' "tf"
CAFFE: dict[str, Any] = {  # BGR, 0 to 255, minus a mean: Keras' "caffe"
    "mean": (103.939 / 255, 116.779 / 255, 123.68 / 255),
    "std": (1 / 255, 1 / 255, 1 / 255),
    "channel_order": "bgr",
}
_PILLOW_FILTERS = {"bilinear": 2, "bicubic": 3}  # PIL.Image.Resampling


@dataclass(frozen=True)
class Preprocessing:
    """Resize the shorter side, crop the centre, scale to [0, 1], subtract the mean, divide by the deviation.

    The resized image is rounded to whole values, as images of 8 bits are in Pillow.

    Args:
        size: (height, width) that the network is given.
        mean: Mean of each channel of pixels in [0, 1], in the network's channel order; its length is the number of
            channels (1 or 3).
        std: Standard deviation of each channel likewise.
        crop_pct: Share of the resized image's side that is kept: 0.875 resizes to 256 for a crop of 224.
        interpolation: "bilinear" or "bicubic", both antialiased.
        channel_order: "rgb", or "bgr" to turn the channels round before the mean is subtracted.

    Raises:
        ValueError: for values that cannot be.

    Example:

    >>> import numpy as np
    >>> eight = Preprocessing(size=(8, 8), mean=(0.5,), std=(0.5,))
    >>> eight(np.full((16, 20, 1), 255, "uint8")).numpy().mean().round(3)
    np.float32(1.0)
    >>> eight.numpy(np.full((16, 20, 1), 255, "uint8")).shape
    (8, 8, 1)
    """

    size: tuple[int, int]
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)  # ImageNet, as torchvision states it
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    crop_pct: float = 1.0
    interpolation: Literal["bilinear", "bicubic"] = "bilinear"
    channel_order: Literal["rgb", "bgr"] = "rgb"

    def __post_init__(self) -> None:
        if len(self.mean) != len(self.std) or len(self.mean) not in (1, 3) or min(self.std) <= 0:
            raise ValueError(
                f"mean and std must have 1 or 3 entries, those of std positive; received {self.mean}, {self.std}."
            )
        if not 0 < self.crop_pct <= 1 or min(self.size) < 1:
            raise ValueError(
                f"crop_pct must lie in (0, 1] and size be positive; received {self.crop_pct}, {self.size}."
            )
        if self.interpolation not in _PILLOW_FILTERS or self.channel_order not in ("rgb", "bgr"):
            raise ValueError(
                "interpolation must be 'bilinear' or 'bicubic', channel_order 'rgb' or 'bgr'; "
                f"received {self.interpolation!r}, {self.channel_order!r}."
            )

    @property
    def channels(self) -> int:
        """Channels of the images: 1 (grey) or 3 (RGB)."""
        return len(self.mean)

    @property
    def resize_to(self) -> tuple[int, int]:
        """(height, width) that the image is made to cover, keeping its proportions, before the crop."""
        return int(self.size[0] / self.crop_pct), int(self.size[1] / self.crop_pct)

    @property
    def scale(self) -> np.ndarray:
        """What pixels 0 to 255 are multiplied by, `(channels,)`, float32."""
        return (1 / (255 * np.array(self.std))).astype("float32")

    @property
    def offset(self) -> np.ndarray:
        """What is subtracted then, `(channels,)`, float32."""
        return (np.array(self.mean) / np.array(self.std)).astype("float32")

    def __call__(self, image: Any) -> Any:
        """One image `(height, width, channels)`, any size, values 0 to 255, to a float32 tensor `(*size, channels)`."""
        import tensorflow as tf

        shape = tf.shape(image)[:2]
        resized = tf.stack(_covering(shape[0], shape[1], self.resize_to, tf.where))
        image = tf.cast(image, tf.float32)
        # First the width, then the height, each rounded, as Pillow does it.
        for step in (tf.stack([shape[0], resized[1]]), resized):
            image = tf.image.resize(image, step, method=self.interpolation, antialias=True)
            image = tf.clip_by_value(tf.floor(image + 0.5), 0.0, 255.0)
        top, left = tf.unstack(tf.cast(tf.round((resized - self.size) / 2), tf.int32))
        image = image[top : top + self.size[0], left : left + self.size[1]]
        return self.normalize(tf.ensure_shape(image, (*self.size, self.channels)))

    def numpy(self, image: np.ndarray) -> np.ndarray:
        """The same of a uint8 array, through Pillow: exactly what torchvision and timm compute.

        Args:
            image: `(height, width, channels)`, uint8.

        Returns:
            `(*size, channels)`, float32.
        """
        from PIL import Image

        height, width = _covering(image.shape[0], image.shape[1], self.resize_to, np.where)
        picture = Image.fromarray(image[..., 0] if self.channels == 1 else image)
        resample = Image.Resampling(_PILLOW_FILTERS[self.interpolation])
        resized = np.asarray(picture.resize((int(width), int(height)), resample)).reshape(height, width, self.channels)
        top, left = round((height - self.size[0]) / 2), round((width - self.size[1]) / 2)
        cropped = resized[top : top + self.size[0], left : left + self.size[1]].astype(np.float32)
        return np.asarray(self.normalize(cropped), np.float32)

    def normalize(self, pixels: Any) -> Any:
        """Pixels 0 to 255 `(..., channels)` as the network wants them; an array, a tensor or a Keras symbol."""
        if self.channel_order == "bgr":
            pixels = pixels[..., ::-1]
        return pixels * self.scale - self.offset

    def attach(self, model: keras.Model) -> keras.Model:
        """The model behind its normalisation: pixels 0 to 255 `(batch, height, width, channels)` in, for an export."""
        pixels = keras.Input(model.input_shape[1:], name="pixels")
        return keras.Model(pixels, model(self.normalize(pixels)), name=model.name)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "Preprocessing":
        """The value that `config` wrote, read from JSON again, which has lists for tuples.

        Raises:
            TypeError, ValueError: for what cannot be.

        Example:

        >>> Preprocessing.from_config(Preprocessing((8, 8)).config()) == Preprocessing((8, 8))
        True
        """
        fields: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in config.items()
        }
        return cls(**fields)

    def config(self) -> dict[str, Any]:
        """The fields, ready for JSON."""
        return asdict(self)


def _covering(height: Any, width: Any, target: tuple[int, int], where: Any) -> tuple[Any, Any]:
    """The smallest size with the proportions of (height, width) that covers the target; as torchvision rounds it, down.

    Works on integers and on tensors; `where` is that of the library at hand.
    """
    upright = target[0] * width >= target[1] * height  # then the height is the binding side
    return (
        where(upright, target[0], target[1] * height // width),
        where(upright, target[0] * width // height, target[1]),
    )
