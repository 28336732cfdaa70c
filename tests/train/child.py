"""A small run for the tests that kill, break and multiply processes: real digits, two residual stages.

python child.py FOLDER [--steps 24] [--interval 4] [--devices 0] [--average 0.9] [--learning-rate 0.05] ...
"""

import argparse
import hashlib
import json
import logging
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--interval", type=int, default=4)
    parser.add_argument("--batch", type=int, default=24)
    parser.add_argument("--devices", type=int, default=0)
    parser.add_argument("--average", type=float, default=0.9)
    parser.add_argument("--learning-rate", type=float, default=0.05)
    parser.add_argument("--drop-path", type=float, default=0.1, help="random, and different on every replica")
    parser.add_argument("--synchronized", action="store_true", help="Keras' norms, as under several replicas")
    parser.add_argument("--pause", type=float, default=0.0, help="seconds after every step")
    options = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(name)s: %(message)s", stream=sys.stdout)
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        run(options)
    except ValueError as error:
        sys.exit(f"child: {error}")


def run(options):
    from keras_resnet.train.strategy import choose_strategy, is_chief, workers

    strategy, reason = choose_strategy(options.devices)
    print(reason, flush=True)

    import keras
    import numpy as np
    import tensorflow as tf
    from sklearn.datasets import load_digits

    import keras_resnet as kr
    from keras_resnet.data.pipeline import Shard, evaluation_batches, evaluation_steps, training_batches
    from keras_resnet.data.sources import load_source
    from keras_resnet.train.loop import train
    from keras_resnet.train.model import averaged, training_model
    from keras_resnet.train.optimizers import make_optimizer

    keras.utils.set_random_seed(0)
    tf.config.experimental.enable_op_determinism()
    images, labels = load_digits(return_X_y=True)
    images = (images.reshape(-1, 8, 8, 1) * 15).astype("uint8")
    train_set = load_source((images[:1400], labels[:1400]))
    test_set = load_source((images[1400:1500], labels[1400:1500]))

    def noisy(image, seed):
        return tf.cast(image, tf.float32) / 120.0 - 1.0 + tf.random.stateless_normal((8, 8, 1), seed, stddev=0.1)

    def plain(image, seed=None):
        return tf.cast(image, tf.float32) / 120.0 - 1.0

    replicas = strategy.num_replicas_in_sync
    shard = Shard(*workers(strategy))

    def spread(make):
        return strategy.distribute_datasets_from_function(lambda _: make())

    with strategy.scope():
        network = kr.create_model(
            "cifar_resnet20", depths=(1, 1), widths=(8, 16), stem_width=8, input_shape=(8, 8, 1), weight_decay=1e-4,
            drop_path_rate=options.drop_path, synchronized=options.synchronized or replicas > 1,
        )  # fmt: skip
        model = training_model(
            network,
            average=options.average,
            optimizer=make_optimizer("nesterov", options.learning_rate),
            loss="categorical_crossentropy",
            metrics=["accuracy"],
        )

    class Pause(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            import time

            time.sleep(options.pause)

    config = {"learning_rate": options.learning_rate, "batch": options.batch, "steps": options.steps}
    history = train(
        model,
        lambda first: spread(
            lambda: training_batches(
                train_set, noisy, batch_size=options.batch, steps=options.steps, seed=7, first_step=first, shard=shard,
                replicas=replicas,
            )
        ),
        spread(lambda: evaluation_batches(test_set, plain, batch_size=32, shard=shard, replicas=replicas)),
        steps=options.steps,
        interval=options.interval,
        evaluation_steps=evaluation_steps(test_set.size, 32, replicas),
        folder=options.folder,
        config=config,
        callbacks=[Pause()] if options.pause else [],
    )  # fmt: skip
    weights = [*network.get_weights()]
    with averaged(model):
        weights += network.get_weights()
    digest = hashlib.sha256(b"".join(weight.tobytes() for weight in weights)).hexdigest()
    for row in history:
        row.pop("seconds")
    task, _ = workers(strategy)
    if is_chief(strategy):
        np.savez(options.folder / "weights.npz", *weights)
    print(json.dumps({"worker": task, "digest": digest, "history": history}))


if __name__ == "__main__":
    main()
