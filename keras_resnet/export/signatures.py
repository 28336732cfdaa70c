"""What an exported network answers: one endpoint for each form in which images arrive."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

from keras_resnet.data.preprocess import Preprocessing
from keras_resnet.export.decode import decode_batch

Answer = dict[str, Any]


@dataclass(frozen=True)
class Endpoints:
    """The signatures of one model.

    Args:
        network: From `(batch, *preprocessing.size, channels)` to `features` and `scores`, float32.
        preprocessing: What stands before it.
        labels: The classes' names.
        top_k: How many of the best classes are named.
    """

    network: Callable[[Any], Answer]
    preprocessing: Preprocessing
    labels: Sequence[str]
    top_k: int

    def all(self) -> dict[str, Any]:
        """Functions of a graph by the signature's name."""
        channels = self.preprocessing.channels
        files = tf.TensorSpec([None], tf.string, name="image_bytes")
        endpoints = {
            "serving_default": (self.serve_files, files),
            "predict_images": (
                self.predict_images,
                tf.TensorSpec([None, None, None, channels], tf.uint8, name="images"),
            ),
            "predict_tensor": (
                self.predict_tensor,
                tf.TensorSpec([None, *self.preprocessing.size, channels], tf.float32, name="tensor"),
            ),
            "features": (self.features, files),
            "tf_example": (self.tf_example, tf.TensorSpec([None], tf.string, name="examples")),
        }
        return {name: tf.function(answer, input_signature=[spec]) for name, (answer, spec) in endpoints.items()}

    def serve_files(self, image_bytes: Any) -> Answer:
        """Bytes of image files; `valid` says which could be decoded, the others' scores are zero."""
        images, valid = decode_batch(image_bytes, self.preprocessing)
        answer = self._named(tf.where(valid[:, None], self._answer(images, "scores"), 0.0))
        return {**answer, "valid": valid}

    def predict_images(self, images: Any) -> Answer:
        """uint8 `(batch, height, width, channels)` of any size."""
        shape = (*self.preprocessing.size, self.preprocessing.channels)
        prepared = tf.map_fn(self.preprocessing, images, fn_output_signature=tf.TensorSpec(shape, tf.float32))
        return self._named(self._answer(prepared, "scores"))

    def predict_tensor(self, tensor: Any) -> Answer:
        """float32, preprocessed already."""
        return self._named(self._answer(tensor, "scores"))

    def features(self, image_bytes: Any) -> Answer:
        """What the classifier is given, `(batch, features)`, for bytes of image files."""
        images, valid = decode_batch(image_bytes, self.preprocessing)
        return {"features": tf.where(valid[:, None], self._answer(images, "features"), 0.0), "valid": valid}

    def tf_example(self, examples: Any) -> Answer:
        """Serialized `tf.Example`s, whose feature `image/encoded` holds the bytes of an image file."""
        parsed = tf.io.parse_example(examples, {"image/encoded": tf.io.FixedLenFeature([], tf.string, "")})
        return self.serve_files(parsed["image/encoded"])

    def _answer(self, images: Any, output: str) -> Any:
        """One output of the network. Some kernels refuse an empty batch, which a server may be sent: then one zero
        image goes through, and is cut off. By padding, since other runtimes that read this graph stumble over a
        condition (OpenVINO 2026.4 answers wrongly)."""
        count = tf.shape(images)[0]
        padded = tf.pad(images, [[0, tf.maximum(1 - count, 0)], [0, 0], [0, 0], [0, 0]])
        return self.network(padded)[output][:count]

    def _named(self, scores: Any) -> Answer:
        top_scores, class_ids = tf.math.top_k(scores, self.top_k)
        classes = tf.gather(tf.constant(list(self.labels)), class_ids)
        return {"scores": scores, "class_ids": class_ids, "classes": classes, "top_scores": top_scores}
