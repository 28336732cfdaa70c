"""What becomes of a unit that is not needed: the third argument for residual learning, tried.

If the best that an added layer can do is nothing, weight decay should lead it there: a residual unit's weights to zero,
where it is the identity, while a plain layer has to learn the identity against the decay.
"""

from typing import Any

import keras

from keras_resnet.data.pipeline import first_images
from keras_resnet.surgery.deepen import deepen
from keras_resnet.train.experiment import Setting
from keras_resnet.train.model import training_model
from keras_resnet.train.responses import branch_probe, branch_ratio
from keras_resnet.train.session import Session

DECAYS = {"none": (), "kernels": ("kernel",), "all": ("kernel", "gamma", "beta")}  # which weights of the unit decay


def train_added_unit(
    session: Session, setting: Setting, network: keras.Model, *, rate: float, decay: float, steps: int, points: int = 30
) -> dict[str, Any]:
    """Add a unit to stage 1 of a trained network, train on, and from a third of the steps on with decay and without.

    The unit's branch starts at zero (`deepen`). Nothing else in the network decays. The decay is decoupled, because an
    L2 penalty of the kernels in front of a norm would only change their scale, which the norm takes out again.

    Args:
        session: Where to compute.
        setting: Of the data and the batches.
        network: A residual network in order "post", without regularisers.
        rate: Learning rate, constant.
        decay: The decay alone would leave exp(-decay) of the decaying weights at the end.
        steps: Of the optimiser; a multiple of `points`.
        points: Of a curve; a multiple of 3.

    Returns:
        Ready for JSON: `step`; `ratio`, by kind of decay (`DECAYS`) a list of |F(x)| / |x| on test images, None from
        where it is not finite; `begins`, the step at which the decay begins.
    """
    interval, begins = steps // points, points // 3
    strength = decay / (rate * (points - begins) * interval)  # each step takes strength x rate of a weight away
    with session.strategy.scope():
        deeper = deepen(network, stage=1)
    known = {layer.name for layer in network.layers}
    added = [layer for layer in deeper.layers if layer.name not in known]
    probe = branch_probe(deeper, added[0].name.rpartition("_")[0])
    images = first_images(setting.test, setting.preprocessing)
    batches = session.training(setting.train, setting.transform, batch_size=setting.batch, steps=steps, seed=0)

    def go_on(names: tuple[str, ...], first: int, last: int) -> list[float | None]:
        """Train between two points; the ratio at each."""
        decaying = {weight.path for layer in added for weight in layer.trainable_weights if weight.name in names}
        with session.strategy.scope():
            optimizer = keras.optimizers.SGD(rate, momentum=0.9, weight_decay=strength if names else None)
            optimizer.exclude_from_weight_decay(
                var_list=[weight for weight in deeper.trainable_weights if weight.path not in decaying]
            )
            loss = keras.losses.CategoricalCrossentropy(from_logits=True)
            model = training_model(deeper, optimizer=optimizer, loss=loss)
        ratios: list[float | None] = []
        measure = keras.callbacks.LambdaCallback(on_epoch_end=lambda *_: ratios.append(branch_ratio(probe, images)))
        model.fit(
            batches(first * interval),
            epochs=last - first,
            steps_per_epoch=interval,
            callbacks=[measure],
            shuffle=False,
            verbose=0,
        )
        return ratios

    grown = [branch_ratio(probe, images), *go_on((), 0, begins)]
    weights = deeper.get_weights()
    ratio = {}
    for name, names in DECAYS.items():
        deeper.set_weights(weights)
        ratio[name] = [*grown, *go_on(names, begins, points)]
    return {"step": [interval * point for point in range(points + 1)], "ratio": ratio, "begins": begins * interval}
