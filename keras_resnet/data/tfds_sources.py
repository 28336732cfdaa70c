"""Data sets of TFDS: small ones are kept in memory, large ones streamed from their shards."""

import math
import os
from pathlib import Path
from typing import Any

import tensorflow as tf
from rich.progress import Progress

from keras_resnet.data.decode import decode
from keras_resnet.data.order import Plan, shuffled
from keras_resnet.data.source import Example, Indexed, Source

SYNONYMS = {"val": ("validation",), "validation": ("val",)}  # of splits
SHARDS_AT_ONCE = 16
SHUFFLE_BUFFER = 8192  # undecoded images, about 0.9 GB of ImageNet's


def known(name: str) -> bool:
    """Whether TFDS has a data set of this name."""
    import tensorflow_datasets as tfds

    from keras_resnet.data import digits  # noqa: F401  registers uci_digits

    try:
        tfds.builder_cls(name.partition("/")[0].partition(":")[0])
    except ValueError:  # of an unknown name, of what cannot be a name
        return False
    return True


def load(name: str, split: str, data_dir: str | Path | None, memory_limit: int) -> Source:
    """A data set of TFDS, prepared where it is not there yet.

    Raises:
        ValueError: where it cannot be had, has no such split, or does not hold labelled images.
    """
    import tensorflow_datasets as tfds

    try:
        builder = tfds.builder(name, data_dir=data_dir)
        builder.download_and_prepare()
    except Exception as error:  # of a download, of one that must be made by hand, of a disk
        raise ValueError(f"{name} cannot be had: {type(error).__name__}: {str(error)[:300]}") from error
    image, label = (dict(builder.info.features).get(key) for key in (builder.info.supervised_keys or (None, None)))
    if not isinstance(image, tfds.features.Image) or not isinstance(label, tfds.features.ClassLabel):
        raise ValueError(f"{name} does not hold labelled images; its features are {', '.join(builder.info.features)}.")
    split = next((other for other in (split, *SYNONYMS.get(split, ())) if other in builder.info.splits), split)
    try:
        files = builder.info.splits[split].file_instructions
        on_disk = sum(Path(file.filename).stat().st_size * file.take // file.examples_in_shard for file in files)
    except ValueError as error:
        raise ValueError(f"{name} has no split {split!r}; it has {', '.join(sorted(builder.info.splits))}.") from error
    except OSError as error:
        raise ValueError(f"{name} is not whole: {error.strerror}: {error.filename}.") from error
    return Streamed(builder, split) if on_disk > memory_limit else _in_memory(builder, split, memory_limit)


def _in_memory(builder: Any, split: str, memory_limit: int) -> Source:
    """Contents of files; or pixels, where the set states one size of all images and they fit."""
    image, label = (builder.info.features[key] for key in builder.info.supervised_keys)
    size, channels = builder.info.splits[split].num_examples, image.shape[-1]
    unpack = None not in image.shape and size * math.prod(image.shape) <= memory_limit
    parser = _Parser(builder)
    records = builder.as_dataset(split, decoders=parser.partial, shuffle_files=False).map(
        lambda record: (
            decode(parser.image(record), channels) if unpack else parser.image(record),
            parser.label(record),
        ),
        tf.data.AUTOTUNE,
    )
    parts = []
    with Progress(transient=True, disable=size < 10_000) as progress:
        task = progress.add_task(f"reading {builder.name} {split}", total=size)
        for part in records.batch(1000):
            parts.append(part)
            progress.advance(task, len(part[1]))
    images, labels = (tf.concat(column, axis=0) for column in zip(*parts, strict=True))
    return Indexed(images, labels, label.names, channels, name=f"{builder.name} {split}")


class _Parser:
    """Reads a record's image, still encoded, and its label; nothing else that may be there."""

    def __init__(self, builder: Any) -> None:
        import tensorflow_datasets as tfds

        self.image_key, self.label_key = builder.info.supervised_keys
        self.partial = tfds.decode.PartialDecoding(
            {self.image_key: True, self.label_key: True}, {self.image_key: tfds.decode.SkipDecoding()}
        )
        self._features = self.partial.extract_features(builder.info.features)

    def image(self, record: dict[str, Any]) -> Any:
        return record[self.image_key]

    def label(self, record: dict[str, Any]) -> Any:
        return record[self.label_key]

    def __call__(self, serialized: Any) -> tuple[Any, Any]:
        record = self._features.deserialize_example(serialized, decoders=self.partial.decoders)
        return self.image(record), self.label(record)


class Streamed(Source):
    """A set too large for memory: each epoch its shards in another order, interleaved, and shuffled through a buffer.

    All of it is a function of (seed, epoch). Every pipeline reads every record and decodes its own; a run resumes
    by starting at the right epoch and skipping records, undecoded.

    Args:
        builder: Of TFDS, prepared, with files of the kind tfrecord.
        split: Of the set, or a slice of one.

    Raises:
        ValueError: for files of another kind.
    """

    encoded = True

    def __init__(self, builder: Any, split: str) -> None:
        info = builder.info
        if info.file_format.value != "tfrecord":
            raise ValueError(
                f"{builder.name} is too large for memory and stored as {info.file_format.value}, not tfrecord."
            )
        image, label = (info.features[key] for key in info.supervised_keys)
        self.classes, self.channels, self.size = tuple(label.names), image.shape[-1], info.splits[split].num_examples
        self._parser = _Parser(builder)
        files = info.splits[split].file_instructions
        with tf.device("CPU"):
            self._files = tf.constant([file.filename for file in files])
            self._parts = tf.constant([(file.skip, file.take) for file in files], tf.int64)

    def training(self, plan: Plan, seed: int) -> Any:
        """As in Source."""
        first = plan.first_step * plan.distinct
        own = plan.shard.index * plan.share + tf.range(plan.share, dtype=tf.int64)  # of the images of a step

        def positioned(step: Any, batch: Example) -> tuple[Any, Example]:
            chosen = Example(*(tf.gather(column, own % plan.distinct) for column in batch))
            return step * plan.batch_size + own, chosen

        epochs = tf.data.Dataset.range(first // self.size, tf.int64.max)
        images = epochs.flat_map(lambda epoch: self._epoch(epoch, seed)).skip(first % self.size)
        steps = tf.data.Dataset.range(plan.first_step, plan.steps)
        return tf.data.Dataset.zip(steps, images.batch(plan.distinct)).map(positioned).unbatch()

    def evaluation(self) -> Any:
        """As in Source."""
        return tf.data.Dataset.range(len(self._files)).flat_map(self._shard)

    def _epoch(self, epoch: Any, seed: int) -> Any:
        shards = len(self._files)
        order = tf.data.Dataset.range(shards).map(lambda slot: shuffled(epoch * shards + slot, shards, seed))
        images = order.interleave(
            self._shard, cycle_length=SHARDS_AT_ONCE, num_parallel_calls=SHARDS_AT_ONCE, deterministic=True
        )
        return _shuffle(images, tf.cast(seed, tf.int64), epoch)

    def _shard(self, number: Any) -> Any:
        """The examples of one file, in order."""
        path, part = self._files[number], self._parts[number]
        short = tf.strings.split(path, os.sep)[-1]

        def parse(record: Any, serialized: Any) -> Example:
            name = tf.strings.join([short, ", record ", tf.strings.as_string(record)])
            return Example(*self._parser(serialized), name)

        return tf.data.TFRecordDataset(path).enumerate().skip(part[0]).take(part[1]).map(parse)


def _shuffle(dataset: Any, seed: Any, epoch: Any) -> Any:
    """Through a buffer, by this seed alone: `Dataset.shuffle` would mix in the program's global seed."""
    shuffled_variant = tf.raw_ops.ShuffleDataset(
        input_dataset=tf.data.experimental.to_variant(dataset),
        buffer_size=SHUFFLE_BUFFER,
        seed=seed,
        seed2=epoch + 1,  # two zeros would mean a random seed
        output_types=[kind.dtype for kind in dataset.element_spec],
        output_shapes=[kind.shape for kind in dataset.element_spec],
        reshuffle_each_iteration=False,
    )
    return tf.data.experimental.from_variant(shuffled_variant, dataset.element_spec)
