"""Data that live on the device: the same pixels as the pipeline's, every image once an epoch, compiled or not."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from gpu_resident import crop_and_flip, draw_crops, epoch_order, random_words, training_order
from keras import ops

from keras_resnet.data.augment import compose, random_flip
from keras_resnet.data.crops import pad_and_crop


@pytest.mark.parametrize(
    ("key", "counters", "words"),
    [  # kat_vectors of Random123, the authors' own release
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        ((0x13198A2E, 0x03707344), (0x243F6A88, 0x85A308D3), (0xC4923A9C, 0x483DF7A0)),
    ],
)
def test_words_are_threefry(key, counters, words):
    given = [np.uint32(number) for number in (*key, *counters)]
    assert tuple(int(word) for word in random_words(*given)) == words


@pytest.mark.parametrize(("padding", "shape"), [(4, (32, 32, 3)), (1, (5, 8, 1)), (0, (4, 4, 3))])
def test_crops_are_those_of_the_pipeline(padding, shape):
    """Offsets and flips drawn as the transforms of `tf.data` draw them give their pixels."""
    images = np.random.default_rng(0).integers(1, 256, (16, *shape)).astype("uint8")
    transform = compose(pad_and_crop(padding), random_flip)
    expected, offsets, flips = [], [], []
    for number, image in enumerate(images):
        seed = tf.constant([7, number], tf.int64)
        place, side = tf.unstack(tf.random.split(seed, 2))
        expected.append(transform(image, seed).numpy())
        offsets.append(tf.random.stateless_uniform([2], place, 0, 2 * padding + 1, tf.int32).numpy())
        flips.append(bool(tf.random.stateless_uniform([], side) < 0.5))
    result = crop_and_flip(ops.convert_to_tensor(images), np.stack(offsets), np.array(flips), padding)
    assert len(set(flips)) == 2
    np.testing.assert_array_equal(ops.convert_to_numpy(result), np.stack(expected))
    assert keras.backend.standardize_dtype(result.dtype) == "uint8"


def test_an_epoch_holds_every_image_once_and_the_next_in_another_order():
    order = ops.convert_to_numpy(training_order(10, seed=3, first_step=0, steps=10, batch=4)).reshape(4, 10)
    assert all(sorted(epoch) == list(range(10)) for epoch in order.tolist())
    assert len({tuple(epoch) for epoch in order.tolist()}) == 4
    assert order[2].tolist() == ops.convert_to_numpy(epoch_order(10, 3, 2)).tolist()
    other = ops.convert_to_numpy(training_order(10, seed=4, first_step=0, steps=10, batch=4)).reshape(4, 10)
    assert other.tolist() != order.tolist()


@pytest.mark.parametrize("first", range(9))
def test_the_order_is_a_function_of_the_step(first):
    whole = ops.convert_to_numpy(training_order(7, seed=0, first_step=0, steps=12, batch=5))
    part = ops.convert_to_numpy(training_order(7, seed=0, first_step=first, steps=3, batch=5))
    assert part.tolist() == whole[first : first + 3].tolist()


def test_every_image_is_equally_likely_in_every_place():
    counts = np.zeros((6, 6))
    for epoch in range(600):
        counts[np.arange(6), ops.convert_to_numpy(epoch_order(6, 1, epoch))] += 1
    assert ((counts - 100) ** 2 / 100).sum() < 50  # chi-squared of 25 degrees of freedom: 50 is a chance of 1 in 500


def test_offsets_and_flips_cover_all_choices_evenly():
    offsets, flips = (ops.convert_to_numpy(values) for values in draw_crops(0, 5, 8100, 4))
    pairs = np.bincount(offsets[:, 0] * 9 + offsets[:, 1], minlength=81)
    assert len(pairs) == 81 and offsets.min() == 0
    assert ((pairs - 100) ** 2 / 100).sum() < 124  # 80 degrees of freedom: 1 in 1000
    assert abs(flips.mean() - 0.5) < 0.02
    later, _ = draw_crops(0, 6, 8100, 4)
    assert (ops.convert_to_numpy(later) != offsets).mean() > 0.8


def test_compiled_with_a_step_that_is_a_tensor():
    """What a compiled step computes of its own counter is what was asked for one number at a time."""

    @tf.function(jit_compile=True)
    def compiled(step):
        return training_order(50, 0, step, 2, 16), *draw_crops(0, step, 16, 4)

    for step in (0, 3):
        plain = (training_order(50, 0, step, 2, 16), *draw_crops(0, step, 16, 4))
        for result, expected in zip(compiled(tf.constant(step)), plain, strict=True):
            np.testing.assert_array_equal(result, expected)
