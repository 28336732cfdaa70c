"""Weights from anywhere: files (named arrays) <- layouts (a peer's names to ours and back) <- hub (pretrained tags)."""

from keras_resnet.weights.errors import WeightsError
from keras_resnet.weights.transfer import Loaded, load_weights, save_weights
