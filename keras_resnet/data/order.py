"""Which image stands where: the endless stream of training images as a function of the seed and the position.

Step s of a run holds the positions [s * batch, (s + 1) * batch). Nothing is dropped at the end of an epoch; batches
run across it. A pipeline of a run of several machines takes its own part of every step, so that the whole is the same
however many machines and replicas share it.
"""

from dataclasses import dataclass
from typing import Any

import tensorflow as tf


@dataclass(frozen=True)
class Shard:
    """One input pipeline among all: a worker of a run on several machines.

    Args:
        index: Which one (0).
        count: How many there are (1).

    Raises:
        ValueError: for an index outside [0, count).
    """

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.index < self.count:
            raise ValueError(f"a shard's index must lie in [0, count); received {self.index} of {self.count}.")


@dataclass(frozen=True)
class Plan:
    """What one pipeline has to bring: its own part of the steps [first_step, steps).

    Args:
        batch_size: Images of one step, over all pipelines and replicas.
        first_step: The first step to bring.
        steps: The step to stop before.
        repeats: How often an image stands in one batch, every copy augmented for itself (arXiv:1902.05509). The copies
            stand `distinct` positions apart; where the batch is no multiple, the last images have a copy less.
        shard: The pipeline.
        replicas: All replicas of all pipelines.

    Raises:
        ValueError: where the batch cannot be split so.

    Example:

    >>> plan = Plan(batch_size=8, first_step=0, steps=2, repeats=3, shard=Shard(1, 2), replicas=2)
    >>> [int(position) for position in plan.positions()]
    [4, 5, 6, 7, 12, 13, 14, 15]
    >>> plan.image(tf.range(16)).numpy().tolist()
    [0, 1, 2, 0, 1, 2, 0, 1, 3, 4, 5, 3, 4, 5, 3, 4]
    """

    batch_size: int
    first_step: int
    steps: int
    repeats: int = 1
    shard: Shard = Shard()
    replicas: int = 1

    def __post_init__(self) -> None:
        check_split(self.batch_size, self.shard, self.replicas)
        if self.batch_size % self.replicas:
            raise ValueError(f"a batch of {self.batch_size} cannot be shared evenly by {self.replicas} replicas.")
        if not 0 <= self.first_step <= self.steps:
            raise ValueError(f"first_step must lie in [0, steps]; received {self.first_step} of {self.steps}.")
        if not 1 <= self.repeats <= self.batch_size:
            raise ValueError(f"repeats must lie in [1, batch size]; received {self.repeats} of {self.batch_size}.")

    @property
    def distinct(self) -> int:
        """Different images of one step."""
        return -(-self.batch_size // self.repeats)

    @property
    def share(self) -> int:
        """Images of one step that are this pipeline's."""
        return self.batch_size // self.shard.count

    def positions(self) -> Any:
        """The positions of this pipeline, int64 scalars in order."""
        first = self.shard.index * self.share
        numbers = tf.data.Dataset.range(self.first_step * self.share, self.steps * self.share)
        return numbers.map(lambda k: k // self.share * self.batch_size + first + k % self.share)

    def image(self, position: Any) -> Any:
        """Number of the image at a position, in the stream without copies."""
        return position // self.batch_size * self.distinct + position % self.batch_size % self.distinct


def check_split(batch_size: int, shard: Shard, replicas: int) -> None:
    """Raise ValueError where replicas or pipelines do not fit each other or the batch."""
    if replicas < 1 or replicas % shard.count:
        raise ValueError(f"{replicas} replicas cannot be shared evenly by {shard.count} pipelines.")
    if batch_size < replicas:
        raise ValueError(f"a batch of {batch_size} leaves some of {replicas} replicas without an image.")


def shuffled(number: Any, size: int, seed: int) -> Any:
    """Index of the image with this number in the endless stream: a new permutation of [0, size) every epoch.

    It is computed, not drawn from a list: memory and time do not grow with the size, and any number can be asked first.

    Example:

    >>> sorted(int(shuffled(tf.constant(number, tf.int64), 5, seed=1)) for number in range(5, 10))
    [0, 1, 2, 3, 4]
    """
    epoch, slot = number // size, number % size
    key = tf.stack([tf.constant(seed, number.dtype), epoch])
    # TensorFlow's shuffle alone favours some images in some places; turned by random amounts before and after, every
    # image is equally likely in every place.
    turns = tf.random.stateless_uniform([2], key, 0, size, number.dtype)
    moved = tf.random.experimental.index_shuffle((slot + turns[0]) % size, key, tf.constant(size - 1, number.dtype))
    return (moved + turns[1]) % size
