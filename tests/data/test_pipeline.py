"""What the replicas are given is a function of the seed and the step alone, to the last bit."""

import hashlib
import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.data.augment import compose, normalized, random_flip
from keras_resnet.data.crops import random_resized_crop
from keras_resnet.data.decode import decode
from keras_resnet.data.mix import Mix
from keras_resnet.data.order import Plan, Shard, shuffled
from keras_resnet.data.pipeline import evaluation_batches, evaluation_steps, training_batches
from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.data.sources import load_source

PREPROCESSING = Preprocessing((16, 16))
TRANSFORM = compose(random_resized_crop(16), random_flip, normalized(PREPROCESSING))


def numbered(size, channels=1):
    """Images that are their own index, of which even a crop tells it."""
    images = np.broadcast_to(np.arange(size, dtype=np.uint8)[:, None, None, None], (size, 2, 2, channels))
    return load_source((np.ascontiguousarray(images), np.arange(size) % 3))


def as_is(image, seed):
    return tf.ensure_shape(tf.cast(image, tf.float32), (2, 2, 1))


def joined(source, transform=TRANSFORM, count=1, replicas=1, **options):
    """Steps of all pipelines joined: (steps, batch, pixels and labels)."""
    options = {"batch_size": 8, "steps": 7, "seed": 5, **options}
    elements = []
    for index in range(count):
        batches = training_batches(source, transform, shard=Shard(index, count), replicas=replicas, **options)
        own = [np.concatenate([np.reshape(x, (len(x), -1)), y], axis=1) for x, y in batches]
        assert len(own) == len(batches)
        elements.append(np.stack(own).reshape(-1, options["batch_size"] // count, own[0].shape[-1]))
    return np.concatenate(elements, axis=1)


def indices(batches):
    return [int(image[0, 0, 0]) for images, _ in batches for image in images.numpy()]


def make_source(kind, imagenet, folder):
    if kind == "folder":
        return load_source(folder)
    if kind == "arrays":
        images = np.random.default_rng(0).integers(0, 256, (19, 20, 18, 3), dtype=np.uint8)
        return load_source((images, np.arange(19) % 4))
    return load_source("imagenet2012", "train", imagenet, memory_limit=2**31 * (kind == "memory"))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("arrays", {"repeats": 2}),
        pytest.param("memory", {}, marks=pytest.mark.slow),
        pytest.param("streamed", {"repeats": 3}, marks=pytest.mark.slow),
        pytest.param("folder", {"mix": Mix(0.2, 1.0)}, marks=pytest.mark.slow),
        pytest.param("streamed", {"mix": Mix(0.2, 1.0), "repeats": 2}, marks=pytest.mark.slow),
    ],
)
def test_the_same_whoever_shares_it_and_whenever_it_starts(kind, options, imagenet, folder):
    source = make_source(kind, imagenet, folder)
    whole = joined(source, **options)
    assert np.isfinite(whole).all()
    tf.random.set_seed(12345)  # the program's own seed plays no part
    np.testing.assert_array_equal(joined(source, count=2, replicas=4, **options), whole)
    np.testing.assert_array_equal(joined(source, first_step=5, replicas=2, **options), whole[5:])
    assert np.abs(joined(source, seed=6, steps=1, **options) - whole[:1]).max() > 0.1


def test_the_end_of_a_data_set_waits_for_no_tuner():
    source = numbered(8, channels=3)
    training = training_batches(source, TRANSFORM, batch_size=4, steps=2, seed=0)
    for batches in (training, evaluation_batches(source, PREPROCESSING, batch_size=4)):
        assert batches.options().autotune.enabled is False


@pytest.mark.slow
def test_the_same_in_a_process_under_op_determinism(imagenet):
    program = """
import hashlib, sys
import tensorflow as tf
tf.config.experimental.enable_op_determinism()
from keras_resnet.data.sources import load_source
from tests.data.test_pipeline import joined
source = load_source("imagenet2012", "train", sys.argv[1], memory_limit=0)
print(hashlib.sha256(joined(source, repeats=2).tobytes()).hexdigest())
"""
    command = [sys.executable, "-c", program, str(imagenet)]
    digest = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    here = joined(load_source("imagenet2012", "train", imagenet, memory_limit=0), repeats=2)
    assert digest == hashlib.sha256(here.tobytes()).hexdigest()


def test_every_epoch_is_another_permutation():
    seen = indices(training_batches(numbered(50), as_is, batch_size=8, steps=25, seed=3))  # four epochs: 200 images
    epochs = [seen[start : start + 50] for start in range(0, 200, 50)]
    assert all(sorted(epoch) == list(range(50)) for epoch in epochs)
    assert len({tuple(epoch) for epoch in epochs}) == 4
    agreeing = [sum(a == b for a, b in zip(*pair, strict=True)) for pair in pairwise(epochs)]
    assert max(agreeing) <= 6  # 1 is expected, and 6 or more once in a thousand


def test_every_epoch_of_a_stream_is_another_permutation(imagenet):
    source = load_source("imagenet2012", "train", imagenet, memory_limit=0)
    images = {one.image.numpy(): number for number, one in enumerate(source.evaluation())}
    plan = Plan(batch_size=9, first_step=0, steps=12)
    seen = [images[example.image.numpy()] for _, example in source.training(plan, 3)]
    epochs = [tuple(seen[start : start + 36]) for start in range(0, 108, 36)]
    assert all(sorted(epoch) == list(range(36)) for epoch in epochs)
    assert len({*epochs, tuple(range(36))}) == 4


def test_an_order_is_fair():
    """Of 720 epochs of 6 images, each image stands in each place about 120 times: chi-squared, 25 free, 0.5 %."""
    slots = tf.data.Dataset.range(6 * 720).map(lambda slot: shuffled(slot, 6, 1))
    order = np.array(list(slots.batch(720).as_numpy_iterator())).reshape(720, 6)
    counts = np.stack([np.bincount(order[:, place], minlength=6) for place in range(6)])
    assert ((counts - 120) ** 2 / 120).sum() < 47


def test_copies_stand_apart_and_differ():
    def marked(image, seed):
        drawn = tf.random.stateless_uniform((2, 2, 1), seed)
        return tf.ensure_shape(tf.cast(image, tf.float32) + drawn / 2, (2, 2, 1))

    for batch in (12, 8):  # of 8, the last image has two copies
        distinct = -(-batch // 3)
        for images, _ in training_batches(numbered(50), marked, batch_size=batch, steps=6, seed=3, repeats=3):
            whole = np.floor(images[:, 0, 0, 0]).astype(int)
            assert len(set(whole[:distinct])) == distinct
            np.testing.assert_array_equal(whole, np.resize(whole[:distinct], batch))
            assert len({image.tobytes() for image in images.numpy()}) == batch
    seen = np.concatenate([x[:4, 0, 0, 0] for x, _ in training_batches(
        numbered(24), as_is, batch_size=12, steps=6, seed=3, repeats=3)])  # fmt: skip
    assert sorted(seen) == list(range(24))  # six steps of four images are an epoch


def test_seeds_are_of_the_run_and_the_position():
    def seed_itself(image, seed):
        return tf.ensure_shape(tf.cast(tf.reshape(seed, (1, 2, 1)), tf.float32), (1, 2, 1))

    batches = training_batches(numbered(5), seed_itself, batch_size=4, steps=4, first_step=1, seed=9)
    seeds = np.concatenate([images.numpy().reshape(-1, 2) for images, _ in batches])
    np.testing.assert_array_equal(seeds, [[9, position] for position in range(4, 16)])


@pytest.mark.parametrize(("size", "batch", "replicas", "count"), [
    (50, 8, 1, 1), (50, 8, 4, 1), (50, 8, 4, 2), (5, 4, 4, 2), (16, 8, 2, 2), (3, 100, 3, 1), (101, 12, 6, 3),
])  # fmt: skip
def test_evaluation_shows_every_image_once(size, batch, replicas, count):
    source, steps = numbered(size), evaluation_steps(size, batch, replicas)
    per_shard = []
    for index in range(count):
        batches = evaluation_batches(
            source, lambda image: as_is(image, None), batch_size=batch, shard=Shard(index, count), replicas=replicas
        )
        own = [images.numpy()[:, 0, 0, 0].astype(int).tolist() for images, _ in batches]
        assert len(own) == len(batches) == steps * replicas // count
        per_shard.append(own)
    each = replicas // count
    in_order = [part for step in range(steps) for own in per_shard for part in own[step * each : (step + 1) * each]]
    assert [one for part in in_order for one in part] == list(range(size))
    sizes = [len(part) for part in in_order]
    assert min(sizes) >= 1
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.parametrize("kind", ["streamed", "folder"])
def test_evaluation_is_preprocessing(kind, imagenet, folder):
    source = make_source(kind, imagenet, folder)
    batches = list(evaluation_batches(source, PREPROCESSING, batch_size=10, replicas=2))
    images, labels = (np.concatenate(column) for column in zip(*batches, strict=True))
    for image, label, one in zip(images, labels, source.evaluation(), strict=True):
        np.testing.assert_array_equal(image, PREPROCESSING(decode(source.read(one.image))))
        assert label.argmax() == int(one.label)
        assert label.sum() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicas": 3}, "8 cannot be shared evenly by 3 replicas"),
        ({"replicas": 3, "shard": Shard(0, 2)}, "3 replicas cannot be shared evenly by 2"),
        ({"replicas": 16}, "leaves some"),
        ({"first_step": 9}, "first_step"),
        ({"repeats": 0}, "repeats"),
        ({"seed": -1}, "seed"),
        ({"mix": Mix(1.0), "replicas": 8}, "pairs"),
    ],
)
def test_refusals(options, message):
    with pytest.raises(ValueError, match=message):
        training_batches(numbered(9), as_is, **{"batch_size": 8, "steps": 7, "seed": 0, **options})


def test_more_refusals():
    with pytest.raises(ValueError, match="index"):
        Shard(2, 2)
    with pytest.raises(ValueError, match="3 images cannot be shared by 4"):
        evaluation_batches(numbered(3), lambda image: as_is(image, None), batch_size=8, replicas=4)
