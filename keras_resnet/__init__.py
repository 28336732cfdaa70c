"""keras_resnet: the residual-network zoo for Keras 3."""

from keras_resnet.models import (
    VGG19,
    DenseResNet,
    Plain18,
    Plain34,
    ResNet1D18,
    ResNet18,
    ResNet18V2,
    ResNet34,
    ResNet34V2,
    ResNet50,
    ResNet50V2,
    ResNet101,
    ResNet101V2,
    ResNet152,
    ResNet152V2,
    ResNet200,
    ResNet200V2,
    ResNeXt50_32x4d,
    ResNeXt101_32x4d,
    ResNeXt101_32x8d,
    ResNeXt101_64x4d,
    SEResNet18,
    SEResNet34,
    SEResNet50,
    SEResNet101,
    SEResNet152,
    WideResNet50_2,
    WideResNet101_2,
    build,
    create_model,
    get_spec,
    list_models,
)
from keras_resnet.profile import profile, weightless
from keras_resnet.spec import Spec, VGGSpec
from keras_resnet.surgery import deepen, fold_batchnorm
from keras_resnet.weights import Loaded, WeightsError, load_weights, save_weights

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """What needs TensorFlow is imported when it is asked for."""
    if name == "export_saved_model":
        from keras_resnet.export.saved_model import export_saved_model

        return export_saved_model
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
