"""The one loss that Keras lacks: classification as many yes-or-no questions."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable("keras_resnet")
class MultiLabelCrossentropy(keras.losses.Loss):
    """Binary cross-entropy over all classes, on logits: ResNet strikes back (arXiv:2110.00476, section 2).

    After mixup or CutMix every class that takes part by more than `threshold` counts as present, wholly.

    Args:
        threshold: Share of a mixed label above which the class is present (0.2, as in timm's `--bce-target-thresh`).
        label_smoothing: Probability taken from the classes that are present and given to all (0).

    Example: a label mixed 6 to 4 has both classes.

    >>> loss = MultiLabelCrossentropy()
    >>> round(float(loss([[0.6, 0.4, 0.0]], [[9.0, 9.0, -9.0]])), 4)
    0.0001
    """

    def __init__(self, threshold: float = 0.2, label_smoothing: float = 0.0, name: str = "multi_label") -> None:
        super().__init__(name=name, reduction="sum_over_batch_size")
        self.threshold, self.label_smoothing = threshold, label_smoothing

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Mean over the classes, `(batch,)`, of labels and logits `(batch, classes)`."""
        logits = ops.convert_to_tensor(y_pred)
        present = ops.cast(ops.convert_to_tensor(y_true) > self.threshold, logits.dtype)
        present = present * (1.0 - self.label_smoothing) + self.label_smoothing / logits.shape[-1]
        return ops.mean(ops.binary_crossentropy(present, logits, from_logits=True), axis=-1)

    def get_config(self) -> dict[str, Any]:
        """The arguments, for Keras."""
        return {"threshold": self.threshold, "label_smoothing": self.label_smoothing, "name": self.name}
