"""The peers as fixtures."""

from tests.peers import timm, torch, torchvision  # noqa: F401
