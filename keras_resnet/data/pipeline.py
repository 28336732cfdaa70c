"""Batches for `fit`: what the replicas of a run are given is a function of the seed and the step alone."""

import math
import os
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_resnet.data.bad import BadImages, careful
from keras_resnet.data.decode import decode
from keras_resnet.data.mix import Mix
from keras_resnet.data.order import Plan, Shard, check_split
from keras_resnet.data.source import Example, Source

Transform = Callable[[Any, Any], Any]  # (a file's content or uint8 pixels, seed of two whole numbers) -> float32 pixels
WHOLE = Shard()
PROCESSORS = os.cpu_count() or 1
# tf.data's tuner of parallelism sleeps at intervals that double up to a minute, and the end of most data sets waits for
# it to wake: a test took 1.46 times as long (benchmarks/evaluation.py). All parallelism here is stated instead.
UNTUNED = tf.data.Options()
UNTUNED.autotune.enabled = False


def training_batches(
    source: Source,
    transform: Transform,
    *,
    batch_size: int,
    steps: int,
    seed: int,
    first_step: int = 0,
    repeats: int = 1,
    mix: Mix | None = None,
    shard: Shard = WHOLE,
    replicas: int = 1,
    bad: BadImages | None = None,
) -> Any:
    """The batches of the steps [first_step, steps), one element for each replica of this pipeline.

    Joined over all pipelines and replicas, a step is the same to the bit however many share it, and whether the run
    started at its first step or at a later one.

    Args:
        source: The training images.
        transform: `(image, seed)` to float32 `(height, width, channels)`: a pure function; the image is a file's
            content (a scalar string) or uint8 pixels, the seed is int64 `(2,)`, the run's seed and the position.
        batch_size: Images of one step, over all pipelines and replicas.
        steps: The step to stop before.
        seed: Of order and augmentation, 0 to 2^31 - 1.
        first_step: The step to begin with (0).
        repeats: How often each image stands in a batch (1), every copy augmented for itself.
        mix: Mixup and CutMix of neighbours (None: neither).
        shard: This pipeline among all (the only one).
        replicas: All replicas of all pipelines (1).
        bad: Takes note of images that cannot be read, whose pixels and labels become zeros (None: the usual limit).

    Returns:
        A `tf.data.Dataset` of (images, float32 `(batch_size // replicas, height, width, channels)`; labels, one-hot
        float32 `(batch_size // replicas, classes)`).

    Raises:
        ValueError: where the batch cannot be shared so, or the seed is out of range; in reading, as one of TensorFlow's
            own errors with this text, where too many images cannot be read.

    Example:

    >>> from keras_resnet.data.sources import load_source
    >>> source = load_source((tf.zeros((10, 8, 8, 3), tf.uint8).numpy(), [0, 1] * 5))
    >>> batches = training_batches(source, lambda image, seed: image / 255, batch_size=4, steps=3, seed=0, replicas=2)
    >>> [(tuple(images.shape), tuple(labels.shape)) for images, labels in batches][:2], len(batches)
    ([((2, 8, 8, 3), (2, 2)), ((2, 8, 8, 3), (2, 2))], 6)
    """
    plan, share = Plan(batch_size, first_step, steps, repeats, shard, replicas), batch_size // replicas
    if not 0 <= seed < 2**31:
        raise ValueError(f"seed must lie in [0, 2^31); received {seed}.")
    if mix and share % 2:
        raise ValueError(f"mixing takes pairs, but the share of a replica is {share} images.")

    @tf.autograph.experimental.do_not_convert  # errors as they are
    def prepare(position: Any, example: Example) -> tuple[Any, ...]:
        pixels = transform(source.read(example.image), _seed(seed, position))
        drawn = mix.draw(_seed(seed, -1 - position // 2), *pixels.shape[:2]) if mix else ()
        return pixels, tf.one_hot(example.label, len(source.classes)), *drawn

    def group(images: Any) -> Any:
        return images.batch(share, drop_remainder=True)

    batches = _prepared(source, source.training(plan, seed), group, prepare, bad)
    if mix:
        batches = batches.map(mix, PROCESSORS)
    return _ahead(batches, (steps - first_step) * replicas // shard.count)


def evaluation_batches(
    source: Source,
    preprocessing: Callable[[Any], Any],
    *,
    batch_size: int,
    shard: Shard = WHOLE,
    replicas: int = 1,
    bad: BadImages | None = None,
) -> Any:
    """Every image exactly once, in order, shared among the replicas; none is left out, and none has nothing to do.

    Of the K = `evaluation_steps` x replicas sub-batches, the k-th holds the images [size * k // K,
    size * (k + 1) // K), so that their sizes differ by one at most. An empty one would make Keras' loss NaN.

    Args:
        source: The images.
        preprocessing: Decoded pixels, uint8 `(height, width, channels)`, to float32 of one size: a `Preprocessing`.
        batch_size: Images of one step at most, over all pipelines and replicas.
        shard: This pipeline among all (the only one).
        replicas: All replicas of all pipelines (1).
        bad: As in `training_batches`; an image that cannot be read counts as a mistake.

    Returns:
        A `tf.data.Dataset` of (images, labels) as `training_batches` has them; equally many elements for every
        pipeline.

    Raises:
        ValueError: where the set has fewer images than there are replicas.
    """
    check_split(batch_size, shard, replicas)
    own, parts = replicas // shard.count, evaluation_steps(source.size, batch_size, replicas) * replicas
    sizes = [
        source.size * (part + 1) // parts - source.size * part // parts
        for part in range(parts)
        if part % replicas // own == shard.index
    ]

    def mine(index: Any, _: Example) -> Any:
        part = ((index + 1) * parts - 1) // source.size
        return part % replicas // own == shard.index

    @tf.autograph.experimental.do_not_convert  # errors as they are
    def prepare(_: Any, example: Example) -> tuple[Any, Any]:
        pixels = preprocessing(decode(source.read(example.image), source.channels))
        return pixels, tf.one_hot(example.label, len(source.classes))

    def group(images: Any) -> Any:
        return images.batch(max(sizes)).rebatch(tf.constant(sizes, tf.int64))

    batches = _prepared(source, source.evaluation().enumerate().filter(mine), group, prepare, bad)
    return _ahead(batches, len(sizes))


def first_images(source: Source, preprocessing: Callable[[Any], Any], count: int = 256) -> Any:
    """The first images, all together as the network is given them; at most `count`."""
    return next(iter(evaluation_batches(source, preprocessing, batch_size=count)))[0]


def _prepared(
    source: Source, examples: Any, group: Callable[[Any], Any], prepare: Callable[..., tuple[Any, ...]], bad: Any
) -> Any:
    """Batches of what `prepare` makes of (position, Example); where files may be damaged, a batch is made as a whole,
    two at a time."""
    if source.encoded:
        return group(examples).map(careful(prepare, bad or BadImages.of(source)), 2)
    return group(examples.map(prepare, PROCESSORS))


def _ahead(batches: Any, count: int) -> Any:
    """So many batches, of which two are made before they are asked for."""
    return batches.apply(tf.data.experimental.assert_cardinality(count)).prefetch(2).with_options(UNTUNED)


def _seed(seed: int, number: Any) -> Any:
    return tf.stack([tf.constant(seed, tf.int64), number])


def evaluation_steps(size: int, batch_size: int, replicas: int = 1) -> int:
    """Steps of an evaluation: as many as batches of `batch_size` take, fewer where a replica would have no image.

    Raises:
        ValueError: where the set has fewer images than there are replicas.

    Example:

    >>> evaluation_steps(10_000, batch_size=128), evaluation_steps(5, batch_size=4, replicas=4)
    (79, 1)
    """
    if size < replicas:
        raise ValueError(f"{size} images cannot be shared by {replicas} replicas: some would have none.")
    return min(math.ceil(size / batch_size), size // replicas)
