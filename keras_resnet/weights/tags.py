"""The table of pretrained weights: what each tag is, where it lies, and the preprocessing that it was evaluated with.

Tags, licences, classes and preprocessing are those of the configurations that timm carries; top-1 is timm's measurement
on the ImageNet validation set at that size (results/results-imagenet.csv), and keras.io's for keras.applications.
Weights of our own lie in the package, each beside its card: what made it, and what it gets right of its test set.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_resnet.data.imagenet import class_names
from keras_resnet.data.preprocess import CAFFE, HALF, IMAGENET, UNIT_RANGE, Preprocessing

OPEN_LICENCES = ("apache-2.0", "bsd-3-clause", "mit")
PUBLISHED = Path(__file__).with_name("published")


@dataclass(frozen=True)
class Pretrained:
    """One set of pretrained weights.

    Args:
        tag: `network.recipe_data`, as timm names it.
        repository: On huggingface.co, or "" where `url` says it all.
        url: Where a person finds the file; a path in the package for weights of our own.
        licence: SPDX identifier in lower case.
        classes: Classes of its head; 1000 are ImageNet's, in the usual order.
        preprocessing: What its images went through in evaluation.
        top1: Accuracy in percent with this preprocessing, on ImageNet's validation set or the test set of the card;
            None where it is not published.
        md5: Of the file, where its publisher gives that; files on huggingface.co carry their SHA-256.
        sha256: Of the file, for weights of our own.
        own_labels: Names of the classes where they are not ImageNet's.
    """

    tag: str
    repository: str
    url: str
    licence: str
    classes: int
    preprocessing: Preprocessing
    top1: float | None
    md5: str | None = None
    sha256: str | None = None
    own_labels: tuple[str, ...] = ()

    @property
    def network(self) -> str:
        """Name in the zoo."""
        return self.tag.partition(".")[0]

    @property
    def labels(self) -> tuple[str, ...]:
        """Names of the classes; () where nobody says."""
        imagenet = tuple(name for _, name in class_names())
        return imagenet if self.classes == len(imagenet) else self.own_labels


def _timm(
    tag: str,
    size: int,
    crop_pct: float,
    interpolation: Any,
    *,
    top1: float | None,
    normal: dict[str, Any] = IMAGENET,
    classes: int = 1000,
    licence: str = "apache-2.0",
) -> Pretrained:
    preprocessing = Preprocessing((size, size), crop_pct=crop_pct, interpolation=interpolation, **normal)
    repository = f"timm/{tag}"
    url = f"https://huggingface.co/{repository}/resolve/main/model.safetensors"
    return Pretrained(tag, repository, url, licence, classes, preprocessing, top1)


def _keras(network: str, file: str, md5: str, top1: float, normal: dict[str, Any]) -> Pretrained:
    """keras.applications' own; it states the normalisation only, so size and crop are the usual ones."""
    url = f"https://storage.googleapis.com/tensorflow/keras-applications/{file}_weights_tf_dim_ordering_tf_kernels.h5"
    preprocessing = Preprocessing((224, 224), crop_pct=0.875, **normal)
    return Pretrained(f"{network}.keras_in1k", "", url, "apache-2.0", 1000, preprocessing, top1, md5)


def _own(tag: str) -> Pretrained:
    """Weights in the package, as their card has them."""
    card = json.loads((PUBLISHED / f"{tag}.json").read_text(encoding="utf-8"))
    url, labels = str(PUBLISHED / f"{tag}.safetensors"), tuple(card["labels"])
    preprocessing, top1 = Preprocessing.from_config(card["preprocessing"]), round(100 * card["accuracy"], 2)
    return Pretrained(
        tag, "", url, "apache-2.0", len(labels), preprocessing, top1, sha256=card["sha256"], own_labels=labels
    )


_TABLE = (
    _own("cifar_resnet20.fast_cifar10"),
    _timm("resnet18.a1_in1k", 224, 0.95, "bicubic", top1=71.504),
    _timm("resnet18.a2_in1k", 224, 0.95, "bicubic", top1=70.634),
    _timm("resnet18.a3_in1k", 224, 0.95, "bicubic", top1=68.25),
    _timm("resnet18.fb_ssl_yfcc100m_ft_in1k", 224, 0.875, "bilinear", top1=72.636, licence="cc-by-nc-4.0"),
    _timm("resnet18.fb_swsl_ig1b_ft_in1k", 224, 0.875, "bilinear", top1=73.286, licence="cc-by-nc-4.0"),
    _timm("resnet18.gluon_in1k", 224, 0.875, "bicubic", top1=70.844),
    _timm("resnet18.tv_in1k", 224, 0.875, "bilinear", top1=69.752, licence="bsd-3-clause"),
    _timm("resnet34.a1_in1k", 224, 0.95, "bicubic", top1=76.42),
    _timm("resnet34.a2_in1k", 224, 0.95, "bicubic", top1=75.52),
    _timm("resnet34.a3_in1k", 224, 0.95, "bicubic", top1=72.996),
    _timm("resnet34.bt_in1k", 224, 0.875, "bicubic", top1=75.176),
    _timm("resnet34.gluon_in1k", 224, 0.875, "bicubic", top1=74.574),
    _timm("resnet34.ra4_e3600_r224_in1k", 224, 0.9, "bicubic", top1=77.492, normal=HALF),
    _timm("resnet34.tv_in1k", 224, 0.875, "bilinear", top1=73.298, licence="bsd-3-clause"),
    _timm("resnet50.a1_in1k", 224, 0.95, "bicubic", top1=80.382),
    _timm("resnet50.a1h_in1k", 224, 1.0, "bicubic", top1=80.654),
    _timm("resnet50.a2_in1k", 224, 0.95, "bicubic", top1=79.828),
    _timm("resnet50.a3_in1k", 224, 0.95, "bicubic", top1=78.052),
    _timm("resnet50.am_in1k", 224, 0.875, "bicubic", top1=79.004),
    _timm("resnet50.b1k_in1k", 224, 0.95, "bicubic", top1=79.564),
    _timm("resnet50.b2k_in1k", 224, 0.95, "bicubic", top1=79.388),
    _timm("resnet50.bt_in1k", 224, 0.875, "bicubic", top1=78.444),
    _timm("resnet50.c1_in1k", 224, 0.95, "bicubic", top1=79.766),
    _timm("resnet50.c2_in1k", 224, 0.95, "bicubic", top1=79.868),
    _timm("resnet50.d_in1k", 224, 0.95, "bicubic", top1=79.904),
    _timm("resnet50.fb_ssl_yfcc100m_ft_in1k", 224, 0.875, "bilinear", top1=79.252, licence="cc-by-nc-4.0"),
    _timm("resnet50.fb_swsl_ig1b_ft_in1k", 224, 0.875, "bilinear", top1=81.146, licence="cc-by-nc-4.0"),
    _timm("resnet50.gluon_in1k", 224, 0.875, "bicubic", top1=77.58),
    _timm("resnet50.ra_in1k", 224, 0.875, "bicubic", top1=78.82),
    _timm("resnet50.ram_in1k", 224, 0.875, "bicubic", top1=79.034),
    _timm("resnet50.tv2_in1k", 224, 0.965, "bilinear", top1=80.846, licence="bsd-3-clause"),
    _timm("resnet50.tv_in1k", 224, 0.875, "bilinear", top1=76.156, licence="bsd-3-clause"),
    _timm("resnet101.a1_in1k", 224, 0.95, "bicubic", top1=81.494),
    _timm("resnet101.a1h_in1k", 224, 0.95, "bicubic", top1=81.95),
    _timm("resnet101.a2_in1k", 224, 0.95, "bicubic", top1=81.344),
    _timm("resnet101.a3_in1k", 224, 0.95, "bicubic", top1=79.836),
    _timm("resnet101.gluon_in1k", 224, 0.875, "bicubic", top1=79.306),
    _timm("resnet101.tv2_in1k", 224, 0.965, "bilinear", top1=81.906, licence="bsd-3-clause"),
    _timm("resnet101.tv_in1k", 224, 0.875, "bilinear", top1=77.404, licence="bsd-3-clause"),
    _timm("resnet152.a1_in1k", 224, 0.95, "bicubic", top1=81.998),
    _timm("resnet152.a1h_in1k", 224, 0.95, "bicubic", top1=82.818),
    _timm("resnet152.a2_in1k", 224, 0.95, "bicubic", top1=81.764),
    _timm("resnet152.a3_in1k", 224, 0.95, "bicubic", top1=80.548),
    _timm("resnet152.gluon_in1k", 224, 0.875, "bicubic", top1=79.712),
    _timm("resnet152.tv2_in1k", 224, 0.965, "bilinear", top1=82.294, licence="bsd-3-clause"),
    _timm("resnet152.tv_in1k", 224, 0.875, "bilinear", top1=78.33, licence="bsd-3-clause"),
    _timm("vgg19.tv_in1k", 224, 0.875, "bilinear", top1=72.4, licence="bsd-3-clause"),
    _timm("resnetv2_18.ra4_e3600_r224_in1k", 224, 0.9, "bicubic", top1=73.572, normal=HALF),
    _timm("resnetv2_34.ra4_e3600_r224_in1k", 224, 0.9, "bicubic", top1=77.626, normal=HALF),
    _timm("resnetv2_50.a1h_in1k", 224, 0.95, "bicubic", top1=80.41, normal=HALF),
    _timm("resnetv2_101.a1h_in1k", 224, 0.95, "bicubic", top1=82.042, normal=HALF),
    _timm("wide_resnet50_2.racm_in1k", 224, 0.875, "bicubic", top1=81.466),
    _timm("wide_resnet50_2.tv2_in1k", 224, 0.965, "bilinear", top1=81.612, licence="bsd-3-clause"),
    _timm("wide_resnet50_2.tv_in1k", 224, 0.875, "bilinear", top1=78.486, licence="bsd-3-clause"),
    _timm("wide_resnet101_2.tv2_in1k", 224, 0.965, "bilinear", top1=82.514, licence="bsd-3-clause"),
    _timm("wide_resnet101_2.tv_in1k", 224, 0.875, "bilinear", top1=78.862, licence="bsd-3-clause"),
    _timm("resnext50_32x4d.a1_in1k", 224, 0.95, "bicubic", top1=80.526),
    _timm("resnext50_32x4d.a1h_in1k", 224, 0.95, "bicubic", top1=81.14),
    _timm("resnext50_32x4d.a2_in1k", 224, 0.95, "bicubic", top1=80.444),
    _timm("resnext50_32x4d.a3_in1k", 224, 0.95, "bicubic", top1=79.258),
    _timm("resnext50_32x4d.fb_ssl_yfcc100m_ft_in1k", 224, 0.875, "bilinear", top1=80.316, licence="cc-by-nc-4.0"),
    _timm("resnext50_32x4d.fb_swsl_ig1b_ft_in1k", 224, 0.875, "bilinear", top1=82.162, licence="cc-by-nc-4.0"),
    _timm("resnext50_32x4d.gluon_in1k", 224, 0.875, "bicubic", top1=79.354),
    _timm("resnext50_32x4d.ra_in1k", 224, 0.875, "bicubic", top1=79.8),
    _timm("resnext50_32x4d.tv2_in1k", 224, 0.965, "bilinear", top1=81.19, licence="bsd-3-clause"),
    _timm("resnext50_32x4d.tv_in1k", 224, 0.875, "bilinear", top1=77.632, licence="bsd-3-clause"),
    _timm("resnext101_32x4d.fb_ssl_yfcc100m_ft_in1k", 224, 0.875, "bilinear", top1=80.936, licence="cc-by-nc-4.0"),
    _timm("resnext101_32x4d.fb_swsl_ig1b_ft_in1k", 224, 0.875, "bilinear", top1=83.268, licence="cc-by-nc-4.0"),
    _timm("resnext101_32x4d.gluon_in1k", 224, 0.875, "bicubic", top1=80.336),
    _timm("resnext101_32x8d.fb_ssl_yfcc100m_ft_in1k", 224, 0.875, "bilinear", top1=81.62, licence="cc-by-nc-4.0"),
    _timm("resnext101_32x8d.fb_swsl_ig1b_ft_in1k", 224, 0.875, "bilinear", top1=84.276, licence="cc-by-nc-4.0"),
    _timm("resnext101_32x8d.fb_wsl_ig1b_ft_in1k", 224, 0.875, "bilinear", top1=82.72, licence="cc-by-nc-4.0"),
    _timm("resnext101_32x8d.tv2_in1k", 224, 0.965, "bilinear", top1=82.832, licence="bsd-3-clause"),
    _timm("resnext101_32x8d.tv_in1k", 224, 0.875, "bilinear", top1=79.308, licence="bsd-3-clause"),
    _timm("resnext101_64x4d.c1_in1k", 224, 0.95, "bicubic", top1=82.446),
    _timm("resnext101_64x4d.gluon_in1k", 224, 0.875, "bicubic", top1=80.64),
    _timm("resnext101_64x4d.tv_in1k", 224, 0.875, "bilinear", top1=82.978, licence="bsd-3-clause"),
    _timm("seresnet50.a1_in1k", 224, 0.95, "bicubic", top1=80.012),
    _timm("seresnet50.a2_in1k", 224, 0.95, "bicubic", top1=80.102),
    _timm("seresnet50.a3_in1k", 224, 0.95, "bicubic", top1=77.036),
    _timm("seresnet50.ra2_in1k", 224, 0.875, "bicubic", top1=80.26),
    _timm("resnet50c.gluon_in1k", 224, 0.875, "bicubic", top1=78.016),
    _timm("resnet18d.ra2_in1k", 224, 0.875, "bicubic", top1=72.296),
    _timm("resnet18d.ra4_e3600_r224_in1k", 224, 0.9, "bicubic", top1=74.356, normal=HALF),
    _timm("resnet34d.ra2_in1k", 224, 0.875, "bicubic", top1=77.108),
    _timm("resnet50d.a1_in1k", 224, 0.95, "bicubic", top1=80.73),
    _timm("resnet50d.a2_in1k", 224, 0.95, "bicubic", top1=80.268),
    _timm("resnet50d.a3_in1k", 224, 0.95, "bicubic", top1=78.742),
    _timm("resnet50d.gluon_in1k", 224, 0.875, "bicubic", top1=79.08),
    _timm("resnet50d.ra2_in1k", 224, 0.875, "bicubic", top1=80.546),
    _timm("resnet50d.ra4_e3600_r224_in1k", 224, 0.95, "bicubic", top1=80.956, normal=HALF),
    _timm("resnet101d.gluon_in1k", 224, 0.875, "bicubic", top1=80.466),
    _timm("resnet101d.ra2_in1k", 256, 0.95, "bicubic", top1=82.254),
    _timm("resnet152d.gluon_in1k", 224, 0.875, "bicubic", top1=80.476),
    _timm("resnet152d.ra2_in1k", 256, 0.95, "bicubic", top1=83.16),
    _timm("resnet200d.ra2_in1k", 256, 0.95, "bicubic", top1=83.25),
    _timm("resnetrs50.tf_in1k", 224, 0.91, "bicubic", top1=79.934),
    _timm("resnetrs101.tf_in1k", 288, 0.94, "bicubic", top1=82.288),
    _timm("resnetrs152.tf_in1k", 256, 1.0, "bicubic", top1=82.9),
    _timm("resnetrs200.tf_in1k", 256, 1.0, "bicubic", top1=83.884),
    _timm("resnetrs270.tf_in1k", 256, 1.0, "bicubic", top1=83.596),
    _timm("resnetrs350.tf_in1k", 288, 1.0, "bicubic", top1=84.304),
    _timm("resnetrs420.tf_in1k", 320, 1.0, "bicubic", top1=84.24),
    _timm("resnetblur50.bt_in1k", 224, 0.875, "bicubic", top1=79.306),
    _timm("resnetv2_50x1_bit.goog_distilled_in1k", 224, 0.875, "bicubic", top1=82.82, normal=HALF),
    _timm("resnetv2_50x1_bit.goog_in21k", 224, 0.875, "bilinear", top1=None, normal=HALF, classes=21843),
    _timm("resnetv2_50x1_bit.goog_in21k_ft_in1k", 448, 1.0, "bilinear", top1=80.386, normal=HALF),
    _timm("resnetv2_50x3_bit.goog_in21k", 224, 0.875, "bilinear", top1=None, normal=HALF, classes=21843),
    _timm("resnetv2_50x3_bit.goog_in21k_ft_in1k", 448, 1.0, "bilinear", top1=83.982, normal=HALF),
    _timm("resnetv2_101x1_bit.goog_in21k", 224, 0.875, "bilinear", top1=None, normal=HALF, classes=21843),
    _timm("resnetv2_101x1_bit.goog_in21k_ft_in1k", 448, 1.0, "bilinear", top1=82.332, normal=HALF),
    _timm("resnetv2_101x3_bit.goog_in21k", 224, 0.875, "bilinear", top1=None, normal=HALF, classes=21843),
    _timm("resnetv2_101x3_bit.goog_in21k_ft_in1k", 448, 1.0, "bilinear", top1=84.43, normal=HALF),
    _timm("resnetv2_152x2_bit.goog_in21k", 224, 0.875, "bilinear", top1=None, normal=HALF, classes=21843),
    _timm("resnetv2_152x2_bit.goog_in21k_ft_in1k", 448, 1.0, "bilinear", top1=84.468, normal=HALF),
    _timm("resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k", 224, 0.875, "bicubic", top1=82.918, normal=HALF),
    _timm("resnetv2_152x2_bit.goog_teacher_in21k_ft_in1k_384", 384, 1.0, "bicubic", top1=83.858, normal=HALF),
    _timm("resnetv2_152x4_bit.goog_in21k", 224, 0.875, "bilinear", top1=None, normal=HALF, classes=21843),
    _timm("resnetv2_152x4_bit.goog_in21k_ft_in1k", 480, 1.0, "bilinear", top1=84.936, normal=HALF),
    _keras("resnet50_v1", "resnet/resnet50", "2cb95161c43110f7111970584f804107", 74.9, CAFFE),
    _keras("resnet101_v1", "resnet/resnet101", "f1aeb4b969a6efcfb50fad2f0c20cfc5", 76.4, CAFFE),
    _keras("resnet152_v1", "resnet/resnet152", "100835be76be38e30d865e96f2aaae62", 76.6, CAFFE),
    _keras("resnetv2_50_keras", "resnet/resnet50v2", "3ef43a0b657b3be2300d5770ece849e0", 76.0, UNIT_RANGE),
    _keras("resnetv2_101_keras", "resnet/resnet101v2", "6343647c601c52e1368623803854d971", 77.2, UNIT_RANGE),
    _keras("resnetv2_152_keras", "resnet/resnet152v2", "a49b44d1979771252814e80f8ec446f9", 78.0, UNIT_RANGE),
)
TAGS: dict[str, Pretrained] = {pretrained.tag: pretrained for pretrained in _TABLE}
