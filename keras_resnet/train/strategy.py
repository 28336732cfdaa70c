"""Where a run computes, by one rule, with the reason in words."""

import json
import os
from typing import Any

import tensorflow as tf


def choose_strategy(virtual_devices: int = 0) -> tuple[Any, str]:
    """Choose the distribution strategy of a run. Call it before anything else touches TensorFlow's devices.

    `TF_CONFIG` set, or several tasks of one Slurm step: `MultiWorkerMirroredStrategy`. Two or more GPUs:
    `MirroredStrategy`. One GPU, or none: no strategy, because under any Keras turns XLA off.

    Args:
        virtual_devices: Split the CPU into so many devices and mirror across them: how a laptop or a test runs the very
            code of a machine with several GPUs (0: do not).

    Returns:
        The strategy, and a sentence that says why.

    Raises:
        ValueError: for a number of virtual devices below 0 or of 1, after TensorFlow's devices are in use, together
            with several machines, or for a TF_CONFIG that names no cluster of workers.

    Example:

    >>> strategy, reason = choose_strategy()
    >>> strategy.num_replicas_in_sync >= 1
    True
    """
    if virtual_devices < 0 or virtual_devices == 1:
        raise ValueError(f"virtual_devices must be 0 or at least 2; received {virtual_devices}.")
    resolver, source = _cluster()
    if resolver and virtual_devices:
        raise ValueError(f"virtual_devices={virtual_devices} is for one machine, but {source} asks for several.")
    if resolver:
        return _several_machines(resolver, source)
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


def is_chief(strategy: Any) -> bool:
    """Whether this process is the one that writes: the only one, or worker 0 of several."""
    return _task(strategy) == 0


def workers(strategy: Any) -> tuple[int, int]:
    """This worker's number and how many there are; (0, 1) on one machine."""
    resolver = strategy.cluster_resolver if is_multi_worker(strategy) else None
    return (_task(strategy), len(resolver.cluster_spec().job_tasks("worker"))) if resolver else (0, 1)


def is_multi_worker(strategy: Any) -> bool:
    """Whether the strategy spans several machines."""
    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


def _task(strategy: Any) -> int:
    return strategy.cluster_resolver.task_id if is_multi_worker(strategy) else 0


def _cluster() -> tuple[Any, str]:
    """The resolver of the cluster that this process belongs to and where it was read from; (None, "") for none."""
    if "TF_CONFIG" in os.environ:
        _check_tf_config(os.environ["TF_CONFIG"])
        return tf.distribute.cluster_resolver.TFConfigClusterResolver(), "TF_CONFIG"
    if int(os.environ.get("SLURM_STEP_NUM_TASKS", "1")) > 1:
        return _slurm(int(os.environ["SLURM_STEP_NUM_TASKS"])), "Slurm"
    return None, ""


def _slurm(tasks: int) -> Any:
    """The tasks of a job step as workers; which GPUs each of them sees is left to Slurm."""
    resolvers = tf.distribute.cluster_resolver
    # It is asked for hosts and numbers alone: counting GPUs, it fails where there is none.
    slurm = resolvers.SlurmClusterResolver(
        jobs={"worker": tasks}, gpus_per_node=tasks, gpus_per_task=1, auto_set_gpu=False
    )
    cluster, (_, index) = slurm.cluster_spec(), slurm.get_task_info()
    gpus = {"GPU": len(tf.config.list_physical_devices("GPU"))}
    return resolvers.SimpleClusterResolver(
        cluster, task_type="worker", task_id=index, rpc_layer="grpc", num_accelerators=gpus
    )


def _check_tf_config(text: str) -> None:
    """Refuse what would hang or fail far from its cause."""
    expected = 'e.g. {"cluster": {"worker": ["host0:12345", "host1:12345"]}, "task": {"type": "worker", "index": 0}}'
    try:
        config = json.loads(text)
        hosts, task = config["cluster"]["worker"], config["task"]
        good = list(config["cluster"]) == ["worker"] and task["type"] == "worker" and 0 <= task["index"] < len(hosts)
    except (ValueError, KeyError, TypeError):
        good = False
    if not good:
        raise ValueError(f"TF_CONFIG must name the workers and this process among them, {expected}; received {text}")


def _several_machines(resolver: Any, source: str) -> tuple[Any, str]:
    strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    task, count = workers(strategy)
    replicas = strategy.num_replicas_in_sync
    return strategy, f"MultiWorkerMirroredStrategy: worker {task} of {count} by {source}, {replicas} replicas in all"


def _virtual_cpus(count: int) -> Any:
    cpu = tf.config.list_physical_devices("CPU")[0]
    wanted = [tf.config.LogicalDeviceConfiguration() for _ in range(count)]
    try:
        tf.config.set_logical_device_configuration(cpu, wanted)
    except RuntimeError as error:
        raise ValueError(f"virtual_devices={count} must be chosen before TensorFlow is first used: {error}") from None
    return tf.distribute.MirroredStrategy([f"CPU:{index}" for index in range(count)])
