"""Keras' own first example, "Simple MNIST convnet" of keras.io, on JAX: a peer of the leaderboard.

Network and settings are the example's: convolution 32, pool, convolution 64, pool, dropout 0.5,
softmax; Adam, batches of 128, 15 epochs, the last tenth of the training pictures held out and
evaluated after each epoch. It needs keras, jax and numpy, and nothing of tellapart, so
``leaderboard.py`` can run it by a Python of its own, the one in ``$KERAS_PYTHON``.

The clock runs over the training steps of an epoch and stops when the last one's loss has been
computed; the example's validation and the reading of the test split after each epoch, which only
tells when an accuracy was first reached, are outside. So is compiling: before the clock the model
takes ten steps, and then gets its first weights and optimizer state back.

    python benchmarks/keras_example.py ARRAYS.npz       x_train, y_train, x_test, y_test, uint8
"""

from __future__ import annotations

import argparse
import json
import os
import time
from pathlib import Path
from typing import Any

# Keras reads it once, when it is imported.
os.environ["KERAS_BACKEND"] = "jax"

import jax
import keras
import numpy as np

BATCH_SIZE = 128
NUM_CLASSES = 10
VALIDATION_FRACTION = 0.1
WARM_UP_STEPS = 10


class EpochClock(keras.callbacks.Callback):
    """Seconds of training and test accuracy, epoch by epoch."""

    def __init__(self, test_images: np.ndarray, test_labels: np.ndarray) -> None:
        super().__init__()
        self.test = test_images, test_labels
        self.seconds: list[float] = []
        self.accuracies: list[float] = []
        self._last_loss: Any = 0.0

    def on_epoch_begin(self, *_: Any) -> None:
        self._start = time.perf_counter()

    def on_train_batch_end(self, _batch: int, logs: Any = None) -> None:
        self._last_loss = (logs or {}).get("loss", 0.0)

    def on_test_begin(self, *_: Any) -> None:
        # Validation begins, so the epoch's steps were all handed to JAX; the loss waits for them.
        float(self._last_loss)
        self.seconds.append(time.perf_counter() - self._start)

    def on_epoch_end(self, *_: Any) -> None:
        accuracy = self.model.evaluate(*self.test, batch_size=1000, verbose=0)[1]
        # Keras keeps it as a float32: 0.9150000214576721 is 915 pictures of 1,000.
        num_images = len(self.test[1])
        self.accuracies.append(round(accuracy * num_images) / num_images)


def make_model() -> keras.Model:
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            keras.layers.Conv2D(32, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Conv2D(64, 3, activation="relu"),
            keras.layers.MaxPooling2D(2),
            keras.layers.Flatten(),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(NUM_CLASSES, activation="softmax"),
        ]
    )
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def warm_up(model: keras.Model, pictures: np.ndarray, labels: np.ndarray) -> None:
    """Ten steps, so that both sizes of batch are compiled; then all is as it was."""
    model.optimizer.build(model.trainable_variables)
    variables = [*model.variables, *model.optimizer.variables]
    values = [np.array(variable.value) for variable in variables]
    num_train = int(len(pictures) * (1 - VALIDATION_FRACTION))
    size = (WARM_UP_STEPS - 1) * BATCH_SIZE + (num_train % BATCH_SIZE or BATCH_SIZE)
    model.fit(pictures[:size], labels[:size], batch_size=BATCH_SIZE, epochs=1, verbose=0)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def run(arrays: Path, seed: int, epochs: int) -> dict[str, Any]:
    """One training, in the terms of ``peers.run``."""
    with np.load(arrays) as loaded:
        pictures, test_images = (
            loaded[name][..., None].astype("float32") / 255  # (pictures, height, width, 1)
            for name in ("x_train", "x_test")
        )
        labels, test_labels = (
            keras.utils.to_categorical(loaded[name], NUM_CLASSES) for name in ("y_train", "y_test")
        )
    keras.utils.set_random_seed(seed)
    model = make_model()
    warm_up(model, pictures, labels)
    # The warm-up drew from the generator that shuffles.
    keras.utils.set_random_seed(seed)
    clock = EpochClock(test_images, test_labels)
    model.fit(
        pictures,
        labels,
        batch_size=BATCH_SIZE,
        epochs=epochs,
        validation_split=VALIDATION_FRACTION,
        callbacks=[clock],
        verbose=0,
    )
    return {
        "seed": seed,
        "num_parameters": model.count_params(),
        "num_epochs": epochs,
        "device": jax.default_backend(),
        "precision": "fp32",
        "software": f"keras {keras.__version__}, jax {jax.__version__}",
        "seconds_per_epoch": clock.seconds,
        "test_accuracy_per_epoch": clock.accuracies,
        "train_seconds": sum(clock.seconds),
        "test_accuracy": clock.accuracies[-1],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Train Keras' MNIST example, and time it.")
    parser.add_argument("arrays", type=Path, help=".npz with x_train, y_train, x_test, y_test")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--epochs", type=int, default=15, help="default 15, the example's")
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.arrays, arguments.seed, arguments.epochs)))


if __name__ == "__main__":
    main()
