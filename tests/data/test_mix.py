"""Mixup and CutMix: the arithmetic of pixels and labels, exactly, and what is drawn."""

import numpy as np
import pytest
import tensorflow as tf

from keras_resnet.data.mix import Mix


def drawn(mix, count=2000, height=20, width=30):
    draws = tf.data.Dataset.range(count).map(lambda number: mix.draw(tf.stack([number, 5]), height, width))
    return (np.stack(column) for column in zip(*draws.as_numpy_iterator(), strict=True))


def test_cutmix_by_hand():
    """Two 4x4 images, one of ones, one of twos; the box has 2 x 3 of 16 pixels."""
    images = tf.stack([tf.fill((4, 4, 1), 1.0), tf.fill((4, 4, 1), 2.0)])
    box = [1, 0, 3, 3]
    mixed, labels = Mix(cutmix=1.0)(images, tf.eye(2), tf.ones(2), tf.constant([box, box]))
    first = np.ones((4, 4))
    first[1:3, 0:3] = 2
    np.testing.assert_array_equal(mixed[0, ..., 0], first)
    np.testing.assert_array_equal(mixed[1, ..., 0], 3 - first)
    np.testing.assert_array_equal(labels, [[10 / 16, 6 / 16], [6 / 16, 10 / 16]])


def test_pairs_are_neighbours_each_with_its_own_share():
    images = tf.reshape(tf.range(4.0), (4, 1, 1, 1))
    shares, boxes = tf.constant([0.75, 0.75, 0.5, 0.5]), tf.zeros((4, 4), tf.int32)
    mixed, labels = Mix(mixup=1.0)(images, tf.eye(4), shares, boxes)
    np.testing.assert_array_equal(mixed[:, 0, 0, 0], [0.25, 0.75, 2.5, 2.5])
    np.testing.assert_array_equal(labels, [[0.75, 0.25, 0, 0], [0.25, 0.75, 0, 0], [0, 0, 0.5, 0.5], [0, 0, 0.5, 0.5]])


def test_smoothing_in_the_loss_is_timm_s_smoothing_before_mixing(timm, torch):
    from timm.data.mixup import mixup_target

    theirs = mixup_target(torch.tensor([1, 3]), 5, lam=0.3, smoothing=0.1).numpy()  # its first with its last
    _, labels = Mix(mixup=1.0)(
        tf.zeros((2, 1, 1, 1)), tf.one_hot([1, 3], 5), tf.fill([2], 0.3), tf.zeros((2, 4), tf.int32)
    )
    np.testing.assert_allclose(labels.numpy() * 0.9 + 0.1 / 5, theirs, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 8.0])
def test_shares_are_from_the_beta_distribution(alpha):
    from scipy import stats

    shares, boxes = drawn(Mix(mixup=alpha))
    assert not boxes.any()
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 1e-3


def test_tiny_alphas_stay_finite():
    shares, _ = drawn(Mix(mixup=0.01), 3000)
    assert np.isfinite(shares).all()
    assert ((shares < 1e-3) | (shares > 0.999)).mean() > 0.9


def test_boxes_are_drawn_as_timm_s(timm):
    from timm.data.mixup import cutmix_bbox_and_lam

    generator = np.random.default_rng(0)
    np.random.seed(0)
    theirs = np.array([cutmix_bbox_and_lam((3, 20, 30), lam)[0] for lam in generator.beta(1, 1, 4000)])[:, [0, 2, 1, 3]]
    shares, ours = drawn(Mix(cutmix=1.0), 4000)
    assert (shares == 1).all()
    sides = [box[:, 2:] - box[:, :2] for box in (ours, theirs)]
    for feature in (lambda box, side: box[:, 0], lambda box, side: box[:, 3], lambda box, side: side.prod(axis=1)):
        a, b = (feature(box, side).astype(float) for box, side in zip((ours, theirs), sides, strict=True))
        assert abs(a.mean() - b.mean()) <= 5 * np.sqrt((a.var() + b.var()) / 4000)
    assert ours.min() >= 0
    assert ours[:, 2].max() <= 20
    assert ours[:, 3].max() <= 30


def test_how_often_which():
    shares, boxes = drawn(Mix(mixup=0.5, cutmix=1.0, probability=0.6, switch_probability=0.25))
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    assert abs((shares < 1).mean() - 0.6 * 0.75) < 0.05
    assert abs((area > 0).mean() - 0.6 * 0.25) < 0.04
    assert not ((shares < 1) & (area > 0)).any()


@pytest.mark.parametrize("wrong", [{}, {"mixup": -1.0, "cutmix": 1.0}, {"mixup": 1.0, "probability": 1.5}])
def test_refusals(wrong):
    with pytest.raises(ValueError, match="received"):
        Mix(**wrong)
