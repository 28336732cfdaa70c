"""What lets torchvision, and timm with it, be imported beside a torch that its compiled operators do not fit."""

from importlib.util import find_spec
from pathlib import Path


def declare_operators() -> None:
    """Declare the operators that torchvision's import names, where its own library has none of them or does not load.

    So it is with a torchvision for CUDA beside a torch for the CPU. The declarations are empty: no ResNet calls them.
    Where the library does load it declares them itself, and a second declaration would end the process.
    """
    from torch import library, ops

    found = find_spec("torchvision")
    for compiled in Path(found.origin).parent.glob("_C.*") if found and found.origin else ():
        try:
            ops.load_library(compiled)
        except OSError:
            break
    if not hasattr(ops.torchvision, "nms"):
        for name in ("nms", "qnms"):
            library.define(f"torchvision::{name}", "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
