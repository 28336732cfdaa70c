"""What is claimed was measured: the README and docs against RESULTS.md, and RESULTS.md against the files of results."""

import json
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
RESULTS = runpy.run_path(str(ROOT / "benchmarks" / "results.py"))
FILES = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
PAGES = ["README.md", *sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))]

MARK = re.compile(r"<!-- from: ([\w ]+) -->")
WHOLE, DECIMALS = r"(?<![\w.,-])\d+(?:,\d{3})*", r"\.\d+(?:e[-+]\d+)?"
NUMBER = f"{WHOLE}(?:{DECIMALS})?"
UNIT = r" ?(?:%|ms\b|s\b|min\b|MB\b|images/s|times as fast)"
CHECKED = re.compile(rf"({WHOLE}{DECIMALS})|({NUMBER})(?:{UNIT}|x\b)|(?<=\| )({NUMBER})(?= \|)")
CLAIM = re.compile(rf"{NUMBER}(?: ?(?:%|ms\b|images/s|times as fast)|x\b)")  # what must have a mark
NOT_MEASURED = {  # figures that are settings, or that another test asserts
    "docs/deploy.md": ["5 ms of waiting"],
    "docs/parity.md": ["1 level of 255 in 0.004 to 0.08 %", "2 levels in 2 %"],
}


def prose(text):
    """Without blocks of code, code, and the targets of links: a figure in them is no claim."""
    text = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    return re.sub(r"`[^`\n]*`|(?<=\])\([^)\n]*\)", "", text)


def passages(text):
    """(names of results, text): a mark on a line of its own covers the paragraph that it begins, any other its line."""
    for block in prose(text).split("\n\n"):
        lines = block.strip().split("\n")
        alone = MARK.fullmatch(lines[0])
        if alone:
            yield alone[1].split(), "\n".join(lines[1:])
            continue
        for line in lines:
            mark = MARK.search(line)
            yield mark[1].split() if mark else [], MARK.sub("", line)


def figures(text):
    """Numbers with a decimal point, with a unit, or alone in a cell."""
    return [next(filter(None, match.groups())) for match in CHECKED.finditer(text)]


def stands_in(figure, found):
    """Whether it is among the numbers, or one of them rounded to its decimals."""
    decimals = len(figure.partition(".")[2])
    return figure in found or (
        decimals > 0
        and "e" not in figure
        and any(f"{float(each.replace(',', '')):.{decimals}f}" == figure for each in found)
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_claim_was_measured(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for allowed in NOT_MEASURED.get(page, []):
        assert allowed in text
        text = text.replace(allowed, "")
    for sources, passage in passages(text):
        if not sources:
            assert not CLAIM.search(passage), f"{page}: no mark says where this was measured: {passage}"
            continue
        found = {number for name in sources for number in re.findall(NUMBER, prose(RESULTS["section"](name)))}
        unknown = [figure for figure in figures(passage) if not stands_in(figure, found)]
        assert not unknown, f"{page}: {unknown} of this is not in {sources}: {passage}"


def test_figures_are_found_and_compared_to_their_last_decimal():
    assert figures("mean 99.67 %, deviation 0.36 (5 of 360) | 1324 | took 36 s, 3.5e-06") == [
        "99.67",
        "0.36",
        "1324",
        "36",
        "3.5e-06",
    ]
    assert stands_in("67.1", {"67.09"}) and not stands_in("67.2", {"67.09"}) and not stands_in("67", {"67.09"})
    assert CLAIM.search("1.2x torch") and CLAIM.search("800 images/s") and not CLAIM.search("224 x 224 x 3")


def test_the_page_is_up_to_date():
    message = "run `python benchmarks/results.py`"
    assert RESULTS["PAGE"].read_text(encoding="utf-8") == RESULTS["page"](), message


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_result_says_where_when_and_how(path):
    result = json.loads(path.read_text(encoding="utf-8"))
    assert result["title"] and result["machine"]["processor"] and result["machine"]["cores"]
    assert result["versions"].keys() >= {"python", "keras"}
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", result["date"])
    for line in result["command"].splitlines():
        script = re.match(r"(?:\w+=\S+ )*python (\S+\.py)", line)
        assert script and (ROOT / script[1]).exists(), line
        assert " /" not in line, f"a path of one machine: {line}"
    assert result["rows"] and all(len(row) == len(result["columns"]) for row in result["rows"])


@pytest.mark.parametrize("path", (ROOT / "benchmarks" / "results").glob("*.why.md"), ids=lambda path: path.name)
def test_every_analysis_is_of_a_result(path):
    assert path.with_name(path.name.replace(".why.md", ".json")).exists()
