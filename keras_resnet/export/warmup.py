"""Requests that a server answers before it takes others, so that the first client does not wait for kernels."""

from collections.abc import Sequence
from pathlib import Path

import tensorflow as tf

FILE = "assets.extra/tf_serving_warmup_requests"  # where TensorFlow Serving looks for them
BATCHES = (1, 16)


def write_warmup(version: Path, files: Sequence[bytes]) -> None:
    """Write one request of `serving_default` for a single image and one for a full batch.

    Args:
        version: The version's folder.
        files: Image files, taken in turn.
    """
    from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

    (version / FILE).parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(version / FILE)) as writer:
        for count in BATCHES:
            request = predict_pb2.PredictRequest()
            request.model_spec.signature_name = "serving_default"
            images = [files[index % len(files)] for index in range(count)]
            request.inputs["image_bytes"].CopyFrom(tf.make_tensor_proto(images, tf.string))
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())
