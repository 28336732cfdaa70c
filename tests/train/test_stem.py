"""The patterns that a stem begins with: what they make of real images, and what cannot have them."""

import keras
import numpy as np
import pytest
from sklearn.datasets import load_digits

import keras_resnet as kr
from keras_resnet.train.stem import begin_with_patterns

DIGITS = (load_digits().images[..., None] / 16 - 0.31) / 0.38


def responses(network):
    """Of the stem's filters, and how strongly they correlate: the mean of the squares off the diagonal."""
    outputs = keras.ops.convert_to_numpy(network.layers[1](DIGITS.astype("float32")))[:, 1:-1, 1:-1]
    correlation = np.corrcoef(outputs.reshape(-1, outputs.shape[-1]).T)
    return outputs, float((correlation[~np.eye(len(correlation), dtype=bool)] ** 2).mean())


def test_the_stem_answers_with_what_is_hardly_correlated():
    network = kr.create_model("cifar_resnet10_w32", input_shape=(8, 8, 1), stem_width=9)
    drawn = network.layers[1].get_weights()[0]
    _, before = responses(network)
    begin_with_patterns(network, DIGITS)
    outputs, after = responses(network)
    assert after < 0.1 * before
    energies = (outputs**2).mean(axis=(0, 1, 2))
    assert (np.diff(energies) < 0).all()  # the strongest pattern first
    lengths = np.linalg.norm(network.layers[1].get_weights()[0].reshape(9, 9), axis=0)
    np.testing.assert_allclose(lengths, np.linalg.norm(drawn.reshape(9, 9), axis=0).mean(), rtol=1e-5)


def test_filters_beyond_both_signs_stay():
    network = kr.create_model("cifar_resnet10_w32", input_shape=(8, 8, 1))
    drawn = network.layers[1].get_weights()[0]
    begin_with_patterns(network, DIGITS)
    begun = network.layers[1].get_weights()[0]
    np.testing.assert_array_equal(begun[..., 18:], drawn[..., 18:])
    np.testing.assert_array_equal(begun[..., 9:18], -begun[..., :9])


@pytest.mark.parametrize("shape", [(8, 8, 1), (2, 8, 8, 3), (2, 2, 8, 1)])
def test_images_that_the_stem_does_not_take_are_refused(shape):
    network = kr.create_model("cifar_resnet10_w32", input_shape=(8, 8, 1))
    with pytest.raises(ValueError, match=r"images must be \(count, height, width, 1\), .* received \("):
        begin_with_patterns(network, np.zeros(shape))


def test_a_network_without_a_stem_of_convolutions_is_refused():
    with pytest.raises(ValueError, match="a stem of convolutions is needed; received <Dense"):
        begin_with_patterns(kr.create_model("dense_resnet"), DIGITS)
