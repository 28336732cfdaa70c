"""The CIFAR-10 table of arXiv:1512.03385, section 4.2, by its own recipe: every net, several seeds, the last weights.

Each net of each seed leaves `NAME.json` (command, accuracy, digest), `NAME.csv` (its curve) and `NAME.safetensors`, and
while it trains `NAME.state.npz`, from which the same command continues.
"""

import argparse
import csv
import hashlib
import itertools
import json
import statistics
import time
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import keras
import numpy as np
from gpu_data import PREPROCESSING, Data, read
from gpu_place import Deadline, UserError, bar, write_json
from gpu_program import Program, Rule, State, compiled, compiled_interval, correct, portions, stacked, unstacked
from measure import keep, origin
from results import HE2015

import keras_resnet as kr
from keras_resnet.atomic import replacing

NETS = ("cifar_resnet20", "cifar_plain20", "cifar_resnet56", "cifar_plain56", "cifar_resnet32", "cifar_plain32",
        "cifar_resnet44", "cifar_plain44", "cifar_resnet110")  # fmt: skip
STEPS = 64_000
COLUMNS = ("step", "seconds", "loss", "train_error", "test_error")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of this part."""
    parser.add_argument("--nets", nargs="+", default=list(NETS), metavar="NET", help="in this order (all of the table)")
    parser.add_argument("--options", nargs="+", default=["A"], choices=("A", "B"), help="shortcuts of the residual (A)")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="(0 1 2)")
    parser.add_argument("--together", action="store_true", help="train all seeds of a net in one program, by vmap")
    parser.add_argument("--steps", type=int, default=STEPS, help="of the optimiser; the rates fall at 1/2 and 3/4")
    parser.add_argument("--interval", type=int, default=1000, help="steps between two tests; divides the steps (1000)")
    parser.add_argument("--precision", default="float32", choices=("float32", "mixed_bfloat16"), help="(float32)")


def main(options: argparse.Namespace, deadline: Deadline) -> None:
    """Train what is not there yet, and write the table after every net."""
    folder = options.out / "cifar"
    folder.mkdir(parents=True, exist_ok=True)
    keras.config.set_dtype_policy(options.precision)
    data = read(options.data).first(options.images)
    work = [
        (net, option, seeds)
        for net, option in _pairs(options)
        for seeds in ([tuple(options.seeds)] if options.together else [(seed,) for seed in options.seeds])
    ]
    for net, option, seeds in work:
        if all((folder / f"{named(net, option, seed)}.json").is_file() for seed in seeds):
            continue
        if deadline.over:
            print(f"left out, no time: {net} {option} of seeds {seeds}; the same command continues")
            continue
        train(net, option, seeds, data, options, deadline)
        summary(options)


def probe(options: argparse.Namespace, deadline: Deadline) -> None:
    """Seconds of a step of every net with all seeds one after another, and with all in one program."""
    keras.config.set_dtype_policy(options.precision)
    data, rows = on_device(read(options.data).first(options.images)), []
    for net, option in _pairs(options):
        if deadline.over:
            print(f"left out, no time: {net} {option}")
            continue
        row: dict[str, Any] = {"net": net, "option": option, "seeds": len(options.seeds)}
        for way, seeds in (("alone", options.seeds[:1]), ("together", options.seeds)):
            program, models = built(net, option, tuple(seeds))
            state = stacked([program.state(model) for model in models])
            schedule = rates(net, options.steps)[: options.interval]
            given = (data.train_images, data.train_labels, jnp.array(seeds), 0, schedule)
            interval, _ = over_seeds(program, len(seeds))
            run, row[f"{way}_compile_seconds"], _ = compiled_interval(interval, state, *given)
            state, _ = jax.block_until_ready(run(state, *given))
            start = time.perf_counter()
            jax.block_until_ready(run(state, *given))
            share = len(options.seeds) / len(seeds) / options.interval
            row[f"{way}_milliseconds"] = 1e3 * (time.perf_counter() - start) * share
        rows.append(row)
        cells = [[*row.values()] for row in rows]
        columns = {
            "network": "{}", "option": "{}", "seeds": "{:d}",
            "compiling one": "{:.1f} s", "step, one by one": "{:.2f} ms",
            "compiling all": "{:.1f} s", "step, all in one program": "{:.2f} ms",
        }  # fmt: skip
        keep(options.out / "gpu_probe", "CIFAR-10, several seeds at once on a GPU", columns, cells)


def _pairs(options: argparse.Namespace) -> list[tuple[str, str]]:
    """(net, option); a plain net has no shortcuts to choose."""
    return [
        (net, option)
        for option in options.options
        for net in options.nets
        if "plain" not in net or option == options.options[0]
    ]


def named(net: str, option: str, seed: int) -> str:
    """What the files of a net are called."""
    return f"{net}-seed{seed}" if "plain" in net else f"{net}-{option}-seed{seed}"


def rates(net: str, steps: int) -> jax.Array:
    """0.1, a tenth of it from half of the run on, a hundredth from three quarters on; the 110 begins at 0.01."""
    number = np.arange(steps)
    values = np.select([number < steps // 2, number < steps * 3 // 4], [0.1, 0.01], 0.001)
    if net.endswith("110"):
        values[:400] = 0.01
    return jnp.array(values, "float32")


def built(net: str, option: str, seeds: tuple[int, ...]) -> tuple[Program, list[keras.Model]]:
    """The recipe's program, and a net for every seed."""
    models = []
    for seed in seeds:
        keras.utils.set_random_seed(seed)
        shortcut = {} if "plain" in net else {"shortcut": option}
        models.append(kr.create_model(net, classifier_activation=None, kernel_initializer="he_normal", **shortcut))
    return Program(models[0], Rule(), PREPROCESSING), models


def on_device(data: Data) -> Data:
    """The arrays where JAX computes."""
    return Data(*map(jnp.asarray, data))


def over_seeds(program: Program, count: int) -> tuple[Any, Any]:
    """An interval and a test of so many nets that differ in weights and seed, stacked; also where it is one, which
    `vmap` would give grouped convolutions that no library computes fast."""
    if count > 1:
        interval = jax.vmap(program.interval, in_axes=(0, None, None, 0, None, None))
        return interval, jax.vmap(program.test, in_axes=(0, None, None))

    def interval(state: State, images: Any, labels: Any, seeds: Any, first: Any, rates: Any) -> Any:
        result = program.interval(unstacked(state, 1)[0], images, labels, seeds[0], first, rates)
        return jax.tree.map(lambda value: value[None], result)

    return interval, lambda state, *given: program.test(unstacked(state, 1)[0], *given)[None]


def train(
    net: str, option: str, seeds: tuple[int, ...], data: Data, options: argparse.Namespace, deadline: Deadline
) -> None:
    """To the last step, or as far as the time goes; then the state stays for the next command."""
    folder, names = options.out / "cifar", [named(net, option, seed) for seed in seeds]
    program, models = built(net, option, seeds)
    state = stacked([program.state(model) for model in models])
    test_size, parts, data = len(data.test_labels), portions(data.test_images, data.test_labels), on_device(data)
    kept = folder / f"{names[0]}{f'-to-{seeds[-1]}' if len(seeds) > 1 else ''}.state.npz"
    state, curves = restored(kept, state, options.steps) if kept.is_file() else (state, [[] for _ in seeds])
    given = (data.train_images, data.train_labels, jnp.array(seeds))
    schedule, length = rates(net, options.steps), options.interval
    begin = len(curves[0])
    interval, tested = over_seeds(program, len(seeds))
    run, compiling, _ = compiled_interval(interval, state, *given, 0, schedule[:length])
    test, _ = compiled(tested, state, *parts[0])
    spent = curves[0][-1][1] if begin else 0.0
    start = time.perf_counter()
    for number in bar(range(begin, options.steps // length), f"{net} {option} {seeds}"):
        first = number * length
        state, measured = run(state, *given, first, schedule[first : first + length])
        right = correct(test, state, parts)
        for each, curve in enumerate(curves):
            loss, accuracy = (float(measured[key][each]) for key in ("loss", "accuracy"))
            error = 100 * (1 - right[each] / test_size)
            curve.append([first + length, spent + time.perf_counter() - start, loss, 100 * (1 - accuracy), error])
        last = number + 1 == options.steps // length
        if last or deadline.over or number % 4 == 3:
            keep_state(kept, state, curves, options.steps)
        if deadline.over and not last:
            print(f"stopped at step {first + length}: {net} {option} of seeds {seeds}; the same command continues")
            return
    for name, seed, model, one, curve in zip(names, seeds, models, unstacked(state, len(seeds)), curves, strict=True):
        weights = folder / f"{name}.safetensors"
        kr.save_weights(program.into(model, one), weights)
        with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([COLUMNS, *curve])
        report = {
            "net": net,
            "option": option if "resnet" in net else "",
            "seed": seed,
            "steps": options.steps,
            "precision": options.precision,
            "test_images": test_size,
            "test_error": curve[-1][-1],
            "train_error": curve[-1][-2],
            "seconds": curve[-1][1],
            "nets_in_the_program": len(seeds),
            "compile_seconds": compiling,
            "weights": weights.name,
            "sha256": hashlib.sha256(weights.read_bytes()).hexdigest(),
            **origin(),
        }
        write_json(folder / f"{name}.json", report)
    kept.unlink()


def keep_state(path: Path, state: State, curves: list[Any], steps: int) -> None:
    """What `restored` reads."""
    leaves = {f"leaf{number}": np.asarray(value) for number, value in enumerate(jax.tree.leaves(state))}
    with replacing(path) as temporary:
        np.savez(temporary, curves=np.array(curves), steps=steps, **leaves)


def restored(path: Path, state: State, steps: int) -> tuple[State, list[Any]]:
    """A state of the same form, and the curves so far."""
    with np.load(path) as kept:
        if kept["steps"] != steps:
            raise UserError(f"{path} is of a run of {kept['steps']} steps; remove it to begin one of {steps}.")
        leaves, form = jax.tree.flatten(state)
        values = [jnp.array(kept[f"leaf{number}"]) for number in range(len(leaves))]
        return jax.tree.unflatten(form, values), kept["curves"].tolist()


def summary(options: argparse.Namespace) -> None:
    """The table of all nets that are done, in this command or an earlier one."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((options.out / "cifar").glob("*.json"))]
    rows = []
    for (net, option), runs in itertools.groupby(found, key=lambda run: (run["net"], run["option"])):
        errors = [run["test_error"] for run in runs]
        deviation = statistics.stdev(errors) if len(errors) > 1 else None
        published = HE2015.get(net) if option == "A" else None
        rows.append([f"{net} {option}".strip(), len(errors), statistics.mean(errors), deviation, published])
    if not rows:
        return
    columns = {
        "network": "{}", "runs": "{:d}", "test error, mean": "{:.2f} %", "deviation": "{:.2f}",
        "arXiv:1512.03385": "{:.2f} %",
    }  # fmt: skip
    note = f"The last weights, on {found[0]['test_images']} images, after {found[0]['steps']} steps; "
    note += "the paper's is of one run, ResNet-110's the best of five."
    keep(options.out / "gpu_cifar", "CIFAR-10 as in 2015, on a GPU", columns, rows, note=note, details=found)
