"""Small sets of images that live on the device: order, crop and flip as parts of the compiled step, on any backend.

Pure functions in `keras.ops`. What is random is computed from the seed and the place in the run, which may be tensors
of the compiled step; every backend computes the same numbers.
"""

from typing import Any

from keras import ops

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_ORDER, _AUGMENTATION = 0, 1  # streams of random numbers that have nothing to do with each other


def random_words(seed: Any, stream: Any, first: Any, second: Any) -> tuple[Any, Any]:
    """Two random 32-bit words for every pair of counters: Threefry-2x32 of 20 rounds (Salmon et al., Parallel random
    numbers: as easy as 1, 2, 3; SC 2011).

    Args:
        seed: First word of the key, a whole number or a scalar.
        stream: Second word of the key.
        first: First counter, a whole number or a tensor of them.
        second: Second counter, of a shape that goes with the first.

    Returns:
        Two uint32 tensors of the counters' common shape.

    Example:

    >>> [hex(int(word)) for word in random_words(0, 0, 0, 0)]
    ['0x6b200159', '0x99ba4efe']
    """
    keys = [ops.cast(seed, "uint32"), ops.cast(stream, "uint32")]
    keys.append(ops.bitwise_xor(ops.bitwise_xor(*keys), ops.cast(0x1BD11BDA, "uint32")))
    a, b = ops.cast(first, "uint32") + keys[0], ops.cast(second, "uint32") + keys[1]
    for group in range(5):
        for turn in _ROTATIONS[group % 2]:
            a = a + b
            b = ops.bitwise_xor(_rotated(b, turn), a)
        a = a + keys[(group + 1) % 3]
        b = b + keys[(group + 2) % 3] + ops.cast(group + 1, "uint32")
    return a, b


def _rotated(words: Any, turn: int) -> Any:
    left, right = (ops.cast(count, "uint32") for count in (turn, 32 - turn))
    return ops.bitwise_or(ops.left_shift(words, left), ops.right_shift(words, right))


def epoch_order(size: int, seed: Any, epoch: Any) -> Any:
    """A permutation of the images [0, size), another one every epoch.

    Args:
        size: Number of images.
        seed: Of the run.
        epoch: From 0 on.

    Returns:
        int32 `(size,)`.

    Example:

    >>> sorted(int(image) for image in epoch_order(5, seed=0, epoch=3))
    [0, 1, 2, 3, 4]
    """
    words, _ = random_words(seed, _ORDER, epoch, ops.arange(size, dtype="int32"))
    return ops.cast(ops.argsort(words), "int32")


def training_order(size: int, seed: Any, first_step: Any, steps: int, batch: int) -> Any:
    """The images of the steps [first_step, first_step + steps): nothing is dropped at the end of an epoch, batches run
    across it.

    Args:
        size: Number of images of the set.
        seed: Of the run.
        first_step: Where to begin.
        steps: How many.
        batch: Images of one step.

    Returns:
        int32 `(steps, batch)`.

    Example:

    >>> order = training_order(6, seed=0, first_step=0, steps=3, batch=4)
    >>> flat = [int(image) for image in ops.reshape(order, -1)]
    >>> sorted(flat[:6]) == sorted(flat[6:]) == list(range(6))
    True
    """
    first = ops.cast(first_step, "int32") * batch
    epoch, slot = first // size, first % size
    touched = 1 + (steps * batch + size - 2) // size  # epochs, wherever in one the first step stands
    orders = ops.concatenate([epoch_order(size, seed, epoch + number) for number in range(touched)])
    return ops.reshape(ops.take(orders, slot + ops.arange(steps * batch, dtype="int32")), (steps, batch))


def draw_crops(seed: Any, step: Any, batch: int, padding: int) -> tuple[Any, Any]:
    """Where to crop the images of a step, and which to mirror.

    Args:
        seed: Of the run.
        step: From 0 on.
        batch: Images of one step.
        padding: As of `crop_and_flip`.

    Returns:
        Offsets (top, left), int32 `(batch, 2)`, each in [0, 2 * padding]; flips, bool `(batch,)`, half of them true.

    Example:

    >>> offsets, flips = draw_crops(seed=0, step=0, batch=8, padding=4)
    >>> offsets.shape == (8, 2), flips.shape == (8,)
    (True, True)
    """
    places, sides = random_words(seed, _AUGMENTATION, step, ops.arange(batch, dtype="int32"))
    places, sides = (ops.cast(ops.right_shift(words, ops.cast(8, "uint32")), "int32") for words in (places, sides))
    choices = 2 * padding + 1
    return ops.stack([places % choices, places // choices % choices], axis=-1), sides % 2 == 1


def crop_and_flip(images: Any, offsets: Any, flips: Any, padding: int) -> Any:
    """A border of zeros, a crop of the images' own size, then left and right changed where wanted: what `pad_and_crop`
    and `random_flip` do to one image, to a batch, in one gather.

    Zeros are what the images count as zero: black in uint8, the mean colour after a normalisation.

    Args:
        images: `(batch, height, width, channels)` of any type.
        offsets: (top, left) of the crops in the padded images, int32 `(batch, 2)`, each in [0, 2 * padding].
        flips: bool `(batch,)`.
        padding: Pixels on every side.

    Returns:
        The same shape and type.

    Example:

    >>> images = ops.reshape(ops.arange(4), (1, 2, 2, 1))
    >>> crop = crop_and_flip(images, ops.array([[0, 1]]), ops.array([True]), padding=1)
    >>> [int(pixel) for pixel in ops.reshape(crop, -1)]
    [0, 0, 1, 0]
    """
    batch, height, width, channels = ops.shape(images)
    padded = ops.pad(images, [[0, 0], [padding, padding], [padding, padding], [0, 0]])
    columns = ops.arange(width, dtype="int32")[None]
    columns = offsets[:, 1:] + ops.where(flips[:, None], width - 1 - columns, columns)
    rows = offsets[:, :1] + ops.arange(height, dtype="int32")[None]
    rows = rows + (height + 2 * padding) * ops.arange(batch, dtype="int32")[:, None]
    pixels = rows[:, :, None] * (width + 2 * padding) + columns[:, None, :]
    return ops.take(ops.reshape(padded, (-1, channels)), pixels, axis=0)
