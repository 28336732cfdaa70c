"""Starting a recipe as a user does, in a short setting."""

import importlib.util
import os
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "recipes"


def start(name, *flags, cwd=None):
    command = [sys.executable, str(FOLDER / f"{name}.py"), *map(str, flags)]
    environment = {**os.environ, "COLUMNS": "200"}
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, **pipes, text=True, env=environment, cwd=cwd)


def run(name, *flags, cwd=None):
    """(exit status, output, error)"""
    process = start(name, *flags, cwd=cwd)
    output, error = process.communicate(timeout=300)
    return process.returncode, output, error


def module(name):
    """The recipe as a module, not run."""
    spec = importlib.util.spec_from_file_location(f"recipe_{name}", FOLDER / f"{name}.py")
    loaded = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = loaded
    spec.loader.exec_module(loaded)
    return loaded


class Page(HTMLParser):
    """What a page of HTML would fetch, the bytes of its pictures left out, and its text."""

    def __init__(self, path):
        super().__init__()
        self.fetched, self.pictures, self.text = [], 0, ""
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        inline = tag == "img" and values["src"].startswith("data:image/png;base64,")
        self.pictures += inline
        if tag in ("link", "script", "iframe", "object") or ("src" in values and not inline) or "href" in values:
            self.fetched.append((tag, values))

    def handle_data(self, data):
        self.text += data
        if "url(" in data or "@import" in data:
            self.fetched.append(("style", data))
