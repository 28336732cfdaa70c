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

import numpy as np
from measure import matrix_product, seconds
from torchvision_operators import declare_operators

APPLICATIONS, HUB, TIMM = "keras.applications.", "keras_hub.", "timm."
HUB_NETWORKS = {"resnet18": ("basic_block", [2, 2, 2, 2]), "resnet50": ("bottleneck_block", [3, 4, 6, 3])}


def main() -> None:
    """Answer until the input ends."""
    options = arguments()
    if not options.plain:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as the recipes do, before TensorFlow is imported
    begin = time.perf_counter()
    import keras

    between = time.perf_counter()
    if not options.network.startswith(APPLICATIONS):
        import keras_resnet  # noqa: F401
    imports = {"keras": between - begin, "package": time.perf_counter() - between}
    worker = TorchWorker(options) if options.network.startswith(TIMM) else KerasWorker(options, keras)
    print(json.dumps(imports), flush=True)
    for line in sys.stdin:
        request, *numbers = line.split()
        taken = seconds(getattr(worker, request), *map(int, numbers))
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6  # Linux counts it in KiB
        print(json.dumps({"seconds": taken, "memory": memory}), flush=True)


def arguments() -> argparse.Namespace:
    """The flags."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("network", help="of the zoo, keras.applications.ResNet50, keras_hub.resnet50, timm.resnet50")
    parser.add_argument("--batch", type=int, default=16, help="images of a step, over all replicas (16)")
    parser.add_argument("--threads", type=int, default=0, help="of the library (0: as many as it likes)")
    parser.add_argument("--bfloat16", action="store_true", help="compute in it; weights stay float32")
    parser.add_argument("--compiled", action="store_true", help="by torch.compile, for timm's networks")
    parser.add_argument("--plain", action="store_true", help="as keras.Model trains, without what the recipes add")
    parser.add_argument("--devices", type=int, default=0, help="virtual ones to mirror across (0: no strategy)")
    parser.add_argument("--apart", action="store_true", help="norms use the statistics of each replica alone")
    return parser.parse_args()


class KerasWorker:
    """A Keras network and what is asked of it: every public method is a request."""

    def __init__(self, options: argparse.Namespace, keras: Any) -> None:
        import tensorflow as tf

        from keras_resnet.train.strategy import choose_strategy

        sys.setrecursionlimit(20_000)  # Keras walks a thousand layers by recursion
        self._options, self._keras, self._tf = options, keras, tf
        tf.config.threading.set_intra_op_parallelism_threads(options.threads)
        tf.config.threading.set_inter_op_parallelism_threads(options.threads)
        keras.config.set_dtype_policy("mixed_bfloat16" if options.bfloat16 else "float32")
        self._strategy, _ = choose_strategy(options.devices)
        self._random = np.random.default_rng(0)
        self._model: Any = None
        self._batches: Any = None
        self._product: Any = None

    def build(self) -> None:
        """The network, with initial weights."""
        name = self._options.network
        with self._strategy.scope():
            if name.startswith(APPLICATIONS):
                self._network = getattr(self._keras.applications, name.removeprefix(APPLICATIONS))(weights=None)
            elif name.startswith(HUB):
                self._network = hub_network(name.removeprefix(HUB))
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

        size, classes = self._options.batch // self._strategy.num_replicas_in_sync, self._network.output_shape[-1]
        labels = self._keras.utils.to_categorical(self._random.integers(0, classes, size), classes)
        images = self._images(size)
        batch = self._tf.data.Dataset.from_tensors((images, labels)).repeat()
        with self._strategy.scope():
            optimizer = self._keras.optimizers.SGD(0.01, momentum=0.9)
            how = {"optimizer": optimizer, "loss": "categorical_crossentropy", "metrics": []}
            if self._options.plain:
                self._model = self._network
                self._model.compile(**how)
                self._model.train_on_batch(images, labels)  # Keras finishes compiling at the first batch that it sees
            else:
                self._model = training_model(self._network, **how)
        self._batches = iter(self._strategy.distribute_datasets_from_function(lambda _: batch))
        self._model.make_train_function()

    def _images(self, count: int) -> np.ndarray:
        return self._random.normal(size=(count, *self._network.input_shape[1:])).astype("float32")


class TorchWorker:
    """timm's network, channels last, eager or compiled."""

    def __init__(self, options: argparse.Namespace) -> None:
        declare_operators()
        import timm
        import torch

        self._options, self._timm, self._torch = options, timm, torch
        if options.threads:
            torch.set_num_threads(options.threads)

    def build(self) -> None:
        """The network, with initial weights."""
        name = self._options.network.removeprefix(TIMM)
        self._network = self._timm.create_model(name).train().to(memory_format=self._torch.channels_last)
        self._scores = self._torch.compile(self._network) if self._options.compiled else self._network
        self._optimizer = self._torch.optim.SGD(self._network.parameters(), lr=0.01, momentum=0.9)
        random = self._torch.Generator().manual_seed(0)
        images = self._torch.randn((self._options.batch, 3, 224, 224), generator=random)
        self._images = images.contiguous(memory_format=self._torch.channels_last)
        self._labels = self._torch.randint(0, 1000, (self._options.batch,), generator=random)

    def train(self, steps: int) -> None:
        """Steps of SGD with momentum on one batch that lies in memory."""
        torch = self._torch
        for _ in range(steps):
            self._optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=self._options.bfloat16):
                loss = torch.nn.functional.cross_entropy(self._scores(self._images), self._labels)
            loss.backward()
            self._optimizer.step()


def hub_network(name: str) -> Any:
    """keras-hub's classifier of the same stages, 1000 classes, for images of 224 x 224."""
    import keras_hub

    block, depths = HUB_NETWORKS[name]
    backbone = keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 128, 256, 512],
        stackwise_num_blocks=depths,
        stackwise_num_strides=[1, 2, 2, 2],
        block_type=block,
        image_shape=(224, 224, 3),
    )
    return keras_hub.models.ResNetImageClassifier(backbone=backbone, num_classes=1000, activation="softmax")


if __name__ == "__main__":
    main()
