"""The benchmarks are scripts: their modules are found as a script beside them finds them."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "benchmarks"))
