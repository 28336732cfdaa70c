"""In which precision a run computes, by one rule, with the reason in words."""

from pathlib import Path
from typing import Literal

import tensorflow as tf

Precision = Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"]
PROCESSORS = ("avx512_bf16", "amx_bf16")  # as Linux names what computes in bfloat16
GPUS = (8, 0)  # the least compute capability that does: NVIDIA's Ampere


def choose_precision(wanted: Precision = "auto") -> tuple[str, str]:
    """Choose Keras' dtype policy; weights are float32 under any.

    auto: mixed_bfloat16 where every GPU, or else the processor, computes in bfloat16; float32 elsewhere. Networks with
    batch norms learn alike in both (arXiv:1905.12322).

    Args:
        wanted: A policy, or "auto".

    Returns:
        The policy's name, and a sentence that says why.

    Example:

    >>> choose_precision("float32")
    ('float32', 'float32: as asked')
    """
    if wanted != "auto":
        return wanted, f"{wanted}: as asked"
    gpus = tf.config.list_physical_devices("GPU")
    if gpus and all(_capability(gpu) >= GPUS for gpu in gpus):
        return "mixed_bfloat16", "mixed_bfloat16: the GPU computes in it; weights are float32"
    if gpus:
        return "float32", "float32: a GPU is too old for bfloat16; --precision mixed_float16 may be faster"
    info = Path("/proc/cpuinfo")
    flags = info.read_text().split() if info.exists() else []
    for flag in PROCESSORS:
        if flag in flags:
            return "mixed_bfloat16", f"mixed_bfloat16: the processor computes in it ({flag}); weights are float32"
    return "float32", "float32: the processor is not known to compute in bfloat16"


def _capability(gpu: tf.config.PhysicalDevice) -> tuple[int, int]:
    return tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
