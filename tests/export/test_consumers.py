"""A program without Python, made of the installed TensorFlow's headers and libraries, asks the SavedModel."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from tests.export.conftest import LABELS, ask, encoded, picture

SOURCE = Path(__file__).parents[1] / "consumers" / "classify.cc"


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    """Compiled as docs/deploy.md says it."""
    if shutil.which("g++") is None:
        pytest.skip("there is no g++")
    path = tmp_path_factory.mktemp("consumer") / "classify"
    library = tf.sysconfig.get_lib()
    libraries = [f"-L{library}", "-Wl,--no-as-needed", "-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"]
    flags = [*tf.sysconfig.get_compile_flags(), "-w", *libraries, f"-Wl,-rpath,{library}"]
    run = subprocess.run(["g++", str(SOURCE), *flags, "-o", str(path)], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr[-2000:]
    return path


@pytest.mark.slow
def test_a_program_in_cpp_gets_the_labels(program, folder, serve, tmp_path):
    files = {"a.jpg": encoded(picture(1), "JPEG"), "b.txt": b"no image", "c.png": encoded(picture(2, 40, 50))}
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    command = [str(program), str(folder), *[str(tmp_path / name) for name in files]]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    said = [line.removeprefix(f"{tmp_path}/") for line in run.stdout.splitlines()]
    scores = ask(serve, list(files.values()))["scores"]
    assert said[1] == "b.txt: not valid"
    for line, name, row in ((said[0], "a.jpg", scores[0]), (said[2], "c.png", scores[2])):
        given, label, score = line.split()
        assert (given, label) == (f"{name}:", LABELS[row.argmax()])
        np.testing.assert_allclose(float(score), row.max(), atol=1e-5)


@pytest.mark.slow
def test_it_says_what_it_could_not_load(program, tmp_path):
    run = subprocess.run([str(program), str(tmp_path), "a.jpg"], capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert "Could not find SavedModel" in run.stderr
