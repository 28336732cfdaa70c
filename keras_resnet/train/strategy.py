"""Where a run computes, by one rule, with the reason in words."""

import os
from typing import Any

import tensorflow as tf


def choose_strategy(virtual_devices: int = 0) -> tuple[Any, str]:
    """Choose the distribution strategy of a run. Call it before anything else touches TensorFlow's devices.

    Two or more GPUs: `MirroredStrategy`. One GPU, or none: no strategy, because under any Keras turns XLA off.

    Args:
        virtual_devices: Split the CPU into so many devices and mirror across them: how a laptop or a test runs the very
            code of a machine with several GPUs (0: do not).

    Returns:
        The strategy, and a sentence that says why.

    Raises:
        ValueError: for a number of virtual devices below 0 or of 1, after TensorFlow's devices are in use, or where
            TF_CONFIG asks for several machines.

    Example:

    >>> strategy, reason = choose_strategy()
    >>> strategy.num_replicas_in_sync >= 1
    True
    """
    if "TF_CONFIG" in os.environ:
        raise ValueError(
            "TF_CONFIG is set: training on several machines is not supported yet; unset it to train on this one."
        )
    if virtual_devices < 0 or virtual_devices == 1:
        raise ValueError(f"virtual_devices must be 0 or at least 2; received {virtual_devices}.")
    if virtual_devices:
        return _virtual_cpus(
            virtual_devices
        ), f"MirroredStrategy: the CPU stands in for {virtual_devices} devices, as asked"
    gpus = tf.config.list_physical_devices("GPU")
    if len(gpus) > 1:
        return tf.distribute.MirroredStrategy(), f"MirroredStrategy: {len(gpus)} GPUs found"
    if gpus:
        return tf.distribute.get_strategy(), "no strategy: one GPU found, which XLA serves best alone"
    return tf.distribute.get_strategy(), "no strategy: no GPU found, one CPU device"


def _virtual_cpus(count: int) -> Any:
    cpu = tf.config.list_physical_devices("CPU")[0]
    wanted = [tf.config.LogicalDeviceConfiguration() for _ in range(count)]
    try:
        tf.config.set_logical_device_configuration(cpu, wanted)
    except RuntimeError as error:
        raise ValueError(f"virtual_devices={count} must be chosen before TensorFlow is first used: {error}") from None
    return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(count)])
