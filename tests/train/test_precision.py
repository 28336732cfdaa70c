"""The precision that a run chooses is one that the hardware computes in."""

from pathlib import Path

import pytest
import tensorflow as tf

from keras_resnet.train.precision import choose_precision

CPUINFO = Path("/proc/cpuinfo")


@pytest.mark.parametrize("wanted", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_what_is_asked_for_is_taken(wanted):
    assert choose_precision(wanted) == (wanted, f"{wanted}: as asked")


@pytest.mark.skipif(bool(tf.config.list_physical_devices("GPU")), reason="the processor is not asked where a GPU is")
def test_a_processor_is_asked():
    policy, reason = choose_precision()
    known = CPUINFO.exists() and any(name in CPUINFO.read_text() for name in ("avx512_bf16", "amx_bf16"))
    assert policy == ("mixed_bfloat16" if known else "float32")
    assert reason.startswith(f"{policy}: the processor")
