"""Changing a built network without changing its function."""

from keras_resnet.surgery.deepen import deepen
from keras_resnet.surgery.fold import fold_batchnorm
