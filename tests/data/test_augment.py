"""Augmentation is a function of its seed, and the geometry is right."""

import math

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from keras_resnet.data.augment import random_affine
from tests.conftest import images


def amounts(seed, batch):
    """The five random numbers in [-1, 1) of each image."""
    return tf.random.stateless_uniform((5, batch), seed, -1.0, 1.0).numpy()


def test_same_seed_same_pixels():
    x = images(6, 8, 8, 1)
    options = {"rotation": 10, "shift": 1, "zoom": 0.1, "shear": 5}
    a, b, c = (random_affine(x, (0, step), **options).numpy() for step in (7, 7, 8))
    np.testing.assert_array_equal(a, b)
    assert np.abs(a - c).max() > 0.1
    assert len({row.tobytes() for row in a}) == 6


def test_nothing_asked_nothing_done():
    x = images(3, 9, 7, 2)
    np.testing.assert_allclose(random_affine(x, (1, 2)).numpy(), x, atol=1e-5)


@pytest.mark.parametrize(
    "options",
    [
        {"rotation": 30},
        {"shift": 2},
        {"zoom": 0.3},
        {"shear": 20},
        {"rotation": 20, "shift": 1, "zoom": 0.2, "shear": 10},
    ],
    ids=lambda options: "+".join(options),
)
def test_moves_pixels_as_scipy_does(options):
    """Output position p, from the centre, reads input A p + shift, A = rotation x shear / zoom."""
    size, seed = 12, (3, 4)
    x = images(4, size, size, 1)
    moved = random_affine(x, seed, **options).numpy()
    for index, (turn, slant, scale, right, down) in enumerate(amounts(seed, 4).T):
        angle = math.radians(turn * options.get("rotation", 0))
        rotation = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        shear = np.array([[1, math.tan(math.radians(slant * options.get("shear", 0)))], [0, 1]])
        matrix = rotation @ shear / (1 + scale * options.get("zoom", 0))  # acts on (x, y)
        centre = np.array([(size - 1) / 2] * 2)
        offset = centre - matrix @ centre + np.array([right, down]) * options.get("shift", 0)
        expected = ndimage.affine_transform(
            x[index, ..., 0], matrix[::-1, ::-1], offset[::-1], order=1, mode="grid-constant", cval=0.0
        )
        np.testing.assert_allclose(moved[index, ..., 0], expected, atol=1e-3)
