"""Installation: `pip install -e .`; what the package is and needs stands in pyproject.toml."""

from setuptools import setup

setup()
