"""A process that does what a benchmark asks for: a request a line on its input, a JSON object a line on its output.

    (echo build; echo train 3) | python benchmarks/worker.py cifar_resnet20 --batch 8

`build` makes the network, `predict` answers a batch, `train 3` takes three training steps, `product` is a product of
matrices; the first of each includes what is done once. Every answer holds the seconds that it took and the most memory
that the process has held, in MB. Before the first request it says how long the imports took.
"""

import argparse
import json
import os
import resource
import sys
import time
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from measure import matrix_product, seconds

APPLICATIONS = "keras.applications."


def main() -> None:
    """Answer until the input ends."""
    options = arguments()
    begin = time.perf_counter()
    import keras

    between = time.perf_counter()
    if not options.network.startswith(APPLICATIONS):
        import keras_resnet  # noqa: F401
    imports = {"keras": between - begin, "package": time.perf_counter() - between}
    worker = Worker(options, keras)
    print(json.dumps(imports), flush=True)
    for line in sys.stdin:
        request, *numbers = line.split()
        taken = seconds(getattr(worker, request), *map(int, numbers))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6  # Linux counts it in KiB
        print(json.dumps({"seconds": taken, "memory": memory}), flush=True)


def arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network", help="of the zoo, or keras.applications.ResNet50")
    parser.add_argument("--batch", type=int, default=16, help="images of a step, over all replicas (16)")
    parser.add_argument("--devices", type=int, default=0, help="virtual ones to mirror across (0: no strategy)")
    parser.add_argument("--apart", action="store_true", help="norms use the statistics of each replica alone")
    return parser.parse_args()


class Worker:
    """The network and what is asked of it: every public method is a request."""

    def __init__(self, options: argparse.Namespace, keras: Any) -> None:
        import numpy as np
        import tensorflow as tf

        from keras_resnet.train.strategy import choose_strategy

        sys.setrecursionlimit(20_000)  # Keras walks a thousand layers by recursion
        self._options, self._keras, self._tf = options, keras, tf
        self._strategy, _ = choose_strategy(options.devices)
        self._random = np.random.default_rng(0)
        self._model: Any = None
        self._batches: Any = None
        self._product: Any = None

    def build(self) -> None:
        """The network, with initial weights."""
        name, peer = self._options.network, self._options.network.removeprefix(APPLICATIONS)
        with self._strategy.scope():
            if name != peer:
                self._network = getattr(self._keras.applications, peer)(weights=None)
            else:
                import keras_resnet as kr

                together = self._strategy.num_replicas_in_sync > 1 and not self._options.apart
                self._network = kr.create_model(name, synchronized=together)

    def predict(self) -> None:
        """Scores of a batch."""
        self._network.predict_on_batch(self._images(self._options.batch))

    def train(self, steps: int) -> None:
        """Steps of SGD with momentum on one batch that lies in memory, as `fit` takes them."""
        if not self._model:
            self._compile()
        for _ in range(steps):
            logs = self._model.train_function(self._batches)
        self._keras.tree.map_structure(self._keras.ops.convert_to_numpy, logs)  # when it is done

    def product(self) -> None:
        """The machine's limit."""
        self._product = self._product or matrix_product()
        self._product()

    def _compile(self) -> None:
        from keras_resnet.train.model import training_model

        replicas = self._strategy.num_replicas_in_sync
        size, classes = self._options.batch // replicas, self._network.output_shape[-1]
        labels = self._keras.utils.to_categorical(self._random.integers(0, classes, size), classes)
        batch = self._tf.data.Dataset.from_tensors((self._images(size), labels)).repeat()
        with self._strategy.scope():
            optimizer = self._keras.optimizers.SGD(0.01, momentum=0.9)
            self._model = training_model(self._network, optimizer=optimizer, loss="categorical_crossentropy")
        self._batches = iter(self._strategy.distribute_datasets_from_function(lambda _: batch))
        self._model.make_train_function()

    def _images(self, count: int) -> Any:
        return self._random.normal(size=(count, *self._network.input_shape[1:])).astype("float32")


if __name__ == "__main__":
    main()
