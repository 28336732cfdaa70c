"""Put what a run has learned into the package, as a tag: the weights beside their card.

    python benchmarks/publish.py runs/cifar10/cifar_resnet20-fast-seed0 cifar_resnet20.fast_cifar10

Then the tag needs its line in keras_resnet/weights/tags.py, and the card can be measured again:

    keras-resnet evaluate cifar_resnet20 --weights cifar_resnet20.fast_cifar10 --data cifar10
"""

import argparse
import hashlib
import json
from pathlib import Path

import keras

import keras_resnet as kr
from keras_resnet.atomic import replacing
from keras_resnet.weights.tags import PUBLISHED


def main() -> None:
    """Write NAME.safetensors and NAME.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("run", type=Path, help="a finished run's folder")
    parser.add_argument("tag", help="network.recipe_data")
    options = parser.parse_args()
    card = json.loads((options.run / "card.json").read_text(encoding="utf-8"))
    trained = keras.models.load_model(options.run / "model.keras", compile=False)
    network = kr.create_model(card["network"], classes=len(card["labels"]))
    network.set_weights(trained.get_weights())
    path = PUBLISHED / f"{options.tag}.safetensors"
    kr.save_weights(network, path)
    card["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
    with replacing(path.with_suffix(".json")) as temporary:
        temporary.write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    print(f"{path}: {100 * card['accuracy']:.2f} % of {card['test_images']}, {path.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
