"""The folder of a training run: its recipe, data reference, metrics, state and results."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tellapart.config import Recipe, recipe_from_toml
from tellapart.config.fields import from_table
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.errors import ConfigError, RunError
from tellapart.files import expand_home, write_whole
from tellapart.finetuning.start import SourceReference

_FORMAT = 1


@dataclass(frozen=True)
class DataReference:
    """Where a run's images came from, and the fingerprint by which they are recognised."""

    source: str
    name: str
    fingerprint: str
    data_dir: str | None = None


def source_of(data: str | Path) -> str:
    """Return what a run records to find ``data`` again: a catalogue name, or an absolute path."""
    if isinstance(data, str) and data in CATALOGUE:
        return data
    path = expand_home(data)
    return str(path.resolve()) if path.exists() else str(data)


@dataclass(frozen=True)
class RunFolder:
    """The files of one run. Making an instance touches no disk; see
    :func:`tellapart.runs.creation.create_run`."""

    path: Path

    @property
    def recipe_file(self) -> Path:
        """The recipe, with every field written out."""
        return self.path / "recipe.toml"

    @property
    def run_file(self) -> Path:
        """The data reference, and when the run was created."""
        return self.path / "run.json"

    @property
    def environment_file(self) -> Path:
        """The machine and the versions."""
        return self.path / "environment.json"

    @property
    def metrics_file(self) -> Path:
        """The metrics, one row per epoch."""
        return self.path / "metrics.csv"

    @property
    def state_file(self) -> Path:
        """The training state after the last epoch, from which a run is resumed."""
        return self.path / "training_state.safetensors"

    @property
    def start_file(self) -> Path:
        """The initial weights of a fine-tuned run: the source's, fitted to the data."""
        return self.path / "start.safetensors"

    @property
    def images_file(self) -> Path:
        """The image files with their classes and splits; a table that can be trained on."""
        return self.path / "images.csv"

    @property
    def corrections_file(self) -> Path:
        """The labels that were corrected, if any; the run does not read the person's file again."""
        return self.path / "corrections.csv"

    @property
    def classifier_file(self) -> Path:
        """The trained classifier; written when training is over."""
        return self.path / "model.safetensors"

    @property
    def calibration_file(self) -> Path:
        """The logits of the images that the classifier is calibrated on."""
        return self.path / "calibration.safetensors"

    @property
    def evaluation_file(self) -> Path:
        """The figures of the test split; written last, so a run that has it is complete."""
        return self.path / "evaluation.json"

    @property
    def report_file(self) -> Path:
        """The HTML report of the test split."""
        return self.path / "report.html"

    def write_json(self, file: Path, content: Mapping[str, Any]) -> None:
        """Writes one of the run's JSON files, completely or not at all."""
        write_whole(file, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def read_json(self, file: Path) -> dict[str, Any]:
        """Reads one of the run's JSON files.

        Raises:
            RunError: a file that is missing, or is not a JSON object.
        """
        try:
            content = json.loads(file.read_text("utf-8"))
        except FileNotFoundError:
            raise RunError(
                f"run {self.path} has no {file.name}; finish it with "
                f"`tellapart train --resume {self.path}`"
            ) from None
        except (OSError, ValueError, RecursionError) as error:
            raise RunError(f"{file} cannot be read: {error}") from None
        if not isinstance(content, dict):
            raise RunError(f"{file} is not a JSON object")
        return content

    def read_recipe(self) -> Recipe:
        """Reads the recipe of this run.

        Raises:
            RunError: a file that is missing or unreadable.
            ConfigError: a file that is not a recipe.
        """
        try:
            text = self.recipe_file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{self.recipe_file} cannot be read: {error}") from None
        return recipe_from_toml(text, origin=str(self.recipe_file))

    def read_machine(self) -> dict[str, Any]:
        """Reads the threads and the precision with which the run began; empty if not recorded."""
        try:
            found = self.read_json(self.environment_file)
        except RunError:
            return {}
        threads, precision = found.get("threads"), found.get("precision")
        machine: dict[str, Any] = {}
        if isinstance(threads, int) and threads >= 1:
            machine["threads"] = threads
        if precision in ("fp32", "bf16"):
            machine["precision"] = precision
        return machine

    def read_data_reference(self) -> DataReference:
        """Reads which data this run is trained on.

        Raises:
            RunError: a file that is missing or damaged.
        """
        try:
            reference = DataReference(**self.read_json(self.run_file)["data"])
            if not all(isinstance(value, str | None) for value in asdict(reference).values()):
                raise TypeError
            return reference
        except (KeyError, TypeError):
            raise RunError(f"{self.run_file} does not record which data the run used") from None

    def read_source(self) -> SourceReference:
        """Reads what this run was fine-tuned from.

        Raises:
            RunError: a file that is missing or damaged.
        """
        try:
            return from_table(SourceReference, self.read_json(self.run_file)["finetuned_from"])
        except (KeyError, TypeError, ConfigError):
            raise RunError(
                f"{self.run_file} does not record what the run was fine-tuned from"
            ) from None

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes ``metrics.csv`` anew; an empty cell is a value that was not measured."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.metrics_file, text.getvalue())

    def read_metrics(self) -> list[dict[str, float | None]]:
        """Reads the rows of ``metrics.csv``; none if no epoch is finished.

        Raises:
            RunError: a file that cannot be read, or holds anything but numbers.
        """
        if not self.metrics_file.exists():
            return []
        try:
            with self.metrics_file.open(newline="", encoding="utf-8") as file:
                return [
                    {name: float(cell) if cell else None for name, cell in row.items()}
                    for row in csv.DictReader(file)
                ]
        except (OSError, ValueError, TypeError, csv.Error) as error:
            raise RunError(f"{self.metrics_file} cannot be read: {error}") from None


def find_run(path: Path) -> RunFolder:
    """Return the folder of an existing run, finished or not.

    Raises:
        RunError: a path that is not a run.
    """
    run = RunFolder(path)
    if not path.exists():
        raise RunError(f"run {path} does not exist; a run is the folder that training prints")
    if not path.is_dir():
        raise RunError(f"{path} is a file; a run is the folder that training prints")
    if not is_run(path):
        raise RunError(
            f"{path} is not a run: it has no {run.run_file.name} and {run.recipe_file.name}; "
            "a run is the folder that `tellapart train` prints at its end"
        )
    return run


def is_run(path: Path) -> bool:
    """Whether a folder is a run, finished or not."""
    run = RunFolder(path)
    return run.run_file.is_file() and run.recipe_file.is_file()


def find_classifier_file(path: Path) -> Path:
    """Return the classifier file of a finished run, or ``path`` itself if it is a file.

    Raises:
        RunError: a folder that is not a run, or a run that is not finished.
    """
    if path.is_file():
        return path
    run = find_run(path)
    if not run.classifier_file.exists():
        raise RunError(
            f"run {path} is not finished: it has no {run.classifier_file.name}; "
            f"resume with `tellapart train --resume {path}`"
        )
    return run.classifier_file
