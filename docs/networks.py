"""Writes the table of networks into README.md, counted from the zoo.

python docs/networks.py
"""

from collections.abc import Callable
from pathlib import Path

from keras_resnet.profile import Profile, profile
from keras_resnet.zoo import ZOO

README = Path(__file__).parents[1] / "README.md"
BEGIN, END = "<!-- networks: written by docs/networks.py -->\n", "<!-- end of networks -->"


def table(count: Callable[[str], Profile] = profile) -> str:
    """The Markdown table: name, input, parameters, multiply-adds."""
    lines = ["| network | input | parameters | multiply-adds |", "|---|---|---:|---:|"]
    for name, spec in ZOO.items():
        counted = count(name)
        shape = " x ".join(map(str, spec.input_shape))
        lines.append(f"| `{name}` | {shape} | {counted.trainable_params:,} | {multiply_adds(counted.macs)} |")
    return "\n".join(lines) + "\n"


def multiply_adds(count: int) -> str:
    """Three digits: 4.09 G, 40.8 M."""
    unit, letter = (1e9, "G") if count >= 1e9 else (1e6, "M")
    return f"{count / unit:.{2 - min(2, len(str(int(count / unit))) - 1)}f} {letter}"


def main() -> None:
    """Replace what stands between the two marks."""
    before, rest = README.read_text(encoding="utf-8").split(BEGIN)
    after = rest.split(END)[1]
    README.write_text(before + BEGIN + table() + END + after, encoding="utf-8")


if __name__ == "__main__":
    main()
