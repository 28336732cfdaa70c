"""Optimisers, schedules, averages and losses against papers, peers and arithmetic."""

import importlib

import keras
import numpy as np
import pytest
import tensorflow as tf

import keras_resnet as kr
from keras_resnet.train.losses import MultiLabelCrossentropy
from keras_resnet.train.model import averaged, training_model
from keras_resnet.train.optimizers import Lamb, make_optimizer, scale_rates
from keras_resnet.train.schedules import PiecewiseLinear, WarmUp


def variables(seed=0):
    generator = np.random.default_rng(seed)
    return generator.normal(size=(5, 3)).astype("float32"), generator.normal(size=3).astype("float32")


def gradients(step):
    generator = np.random.default_rng(100 + step)
    return [generator.normal(size=shape).astype("float32") for shape in ((5, 3), (3,))]


def steps(optimizer, count=4):
    """Kernel and bias after some steps, as arrays."""
    kernel, bias = variables()
    kernel, bias = keras.Variable(kernel, name="kernel"), keras.Variable(bias, name="bias")
    optimizer.build([kernel, bias])
    for step in range(count):
        optimizer.apply([tf.constant(one) for one in gradients(step)], [kernel, bias])
    return kernel.numpy(), bias.numpy()


def test_lamb_is_timms(torch, timm):
    kernel, bias = (torch.nn.Parameter(torch.tensor(one)) for one in variables())
    groups = [{"params": [kernel], "weight_decay": 0.02}, {"params": [bias], "weight_decay": 0.0}]
    theirs = importlib.import_module("timm.optim").Lamb(groups, lr=0.1, eps=1e-6, max_grad_norm=None)
    for step in range(4):
        kernel.grad, bias.grad = (torch.tensor(one) for one in gradients(step))
        theirs.step()
    ours = steps(make_optimizer("lamb", 0.1, weight_decay=0.02))
    np.testing.assert_allclose(ours[0], kernel.detach().numpy(), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(ours[1], bias.detach().numpy(), rtol=1e-5, atol=1e-6)


def test_lambs_first_step_is_the_papers():
    """arXiv:1904.00962, algorithm 2: at the first step m / sqrt(v) is the sign of the gradient."""
    kernel, bias = variables()
    gradient, other = gradients(0)
    update = np.sign(gradient) + 0.02 * kernel
    expected = kernel - 0.1 * np.linalg.norm(kernel) / np.linalg.norm(update) * update
    ours = steps(Lamb(0.1, epsilon=1e-12, weight_decay=0.02), count=1)
    np.testing.assert_allclose(ours[0], expected, rtol=1e-5)
    optimizer = make_optimizer("lamb", 0.1, weight_decay=0.02)
    np.testing.assert_allclose(steps(optimizer, count=1)[1], bias - 0.1 * np.sign(other), rtol=1e-4)


@pytest.mark.parametrize("name", ["sgd", "nesterov", "adamw", "lamb"])
def test_decay_spares_norms_and_biases(name):
    with_decay = steps(make_optimizer(name, 0.1, weight_decay=0.1))
    without = steps(make_optimizer(name, 0.1))
    assert not np.allclose(with_decay[0], without[0])
    np.testing.assert_array_equal(with_decay[1], without[1])


def test_accumulated_gradients_take_the_step_of_their_mean():
    accumulated = steps(make_optimizer("sgd", 0.1, accumulate=2), count=2)
    mean = [(first + second) / 2 for first, second in zip(gradients(0), gradients(1), strict=True)]
    for ours, start, gradient in zip(accumulated, variables(), mean, strict=True):
        np.testing.assert_allclose(ours, start - 0.1 * gradient, rtol=1e-6)


def test_each_variable_learns_at_its_share():
    optimizer = make_optimizer("sgd", 0.1)
    scale_rates(optimizer, [0.5, 0.0])
    kernel, bias = steps(optimizer, count=1)
    np.testing.assert_allclose(kernel, variables()[0] - 0.05 * gradients(0)[0], rtol=1e-6)
    np.testing.assert_array_equal(bias, variables()[1])


def test_refuses_an_unknown_optimizer():
    with pytest.raises(ValueError, match="received 'adam'"):
        make_optimizer("adam", 0.1)


@pytest.mark.parametrize(
    "schedule",
    [
        PiecewiseLinear([0, 4, 9], [0.1, 1.0, 0.0]),
        WarmUp(keras.optimizers.schedules.CosineDecay(0.5, 10), steps=5, start=0.01),
    ],
)
def test_schedules_come_back_from_their_configuration(schedule):
    again = keras.optimizers.schedules.deserialize(keras.optimizers.schedules.serialize(schedule))
    assert [float(again(step)) for step in range(16)] == [float(schedule(step)) for step in range(16)]


@pytest.mark.parametrize("points", [([0], [1.0]), ([0, 0], [1.0, 2.0]), ([0, 1], [1.0])])
def test_refuses_points_that_are_no_schedule(points):
    with pytest.raises(ValueError, match="steps must grow"):
        PiecewiseLinear(*points)


def test_the_multi_label_loss_is_timms(torch, timm):
    loss = importlib.import_module("timm.loss").BinaryCrossEntropy
    generator = np.random.default_rng(0)
    logits = generator.normal(size=(6, 7)).astype("float32")
    labels = np.eye(7, dtype="float32")[[0, 1, 2, 3, 4, 5]]
    mixed = 0.75 * labels + 0.25 * labels[::-1]
    theirs = loss(smoothing=0.0, target_threshold=0.2)(torch.tensor(logits), torch.tensor(mixed))
    assert float(MultiLabelCrossentropy()(mixed, logits)) == pytest.approx(float(theirs), rel=1e-5)
    theirs = loss(smoothing=0.1)(torch.tensor(logits), torch.arange(6))
    assert float(MultiLabelCrossentropy(label_smoothing=0.1)(labels, logits)) == pytest.approx(float(theirs), rel=1e-5)


def test_the_average_is_that_of_all_weights_statistics_included():
    network = kr.create_model("cifar_resnet20", depths=(1, 1), widths=(8, 16), stem_width=8, input_shape=(8, 8, 1))
    model = training_model(network, 0.5, optimizer=make_optimizer("sgd", 0.1), loss="categorical_crossentropy")
    generator = np.random.default_rng(0)
    expected = [weight.copy() for weight in network.get_weights()]
    for step in range(3):
        x = generator.normal(size=(4, 8, 8, 1)).astype("float32")
        model.train_on_batch(x, np.eye(10, dtype="float32")[generator.integers(0, 10, 4)])
        decay = min(0.5, (2 + step) / (11 + step))  # the optimiser has counted this step already
        pairs = zip(expected, network.get_weights(), strict=True)
        expected = [decay * mean + (1 - decay) * weight for mean, weight in pairs]
    weights = network.get_weights()
    with averaged(model):
        for mean, ours in zip(expected, network.get_weights(), strict=True):
            np.testing.assert_allclose(ours, mean, rtol=1e-5, atol=1e-6)
    for before, after in zip(weights, network.get_weights(), strict=True):
        np.testing.assert_array_equal(before, after)


def test_refuses_an_average_that_never_moves():
    network = kr.create_model("cifar_resnet20", depths=(1,), widths=(8,), stem_width=8, input_shape=(8, 8, 1))
    with pytest.raises(ValueError, match="average must lie in"):
        training_model(network, 1.0)
