"""A run: the folder that holds what a training run was asked, what it did and what came out."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tellapart.config import Recipe, recipe_from_toml
from tellapart.config.fields import from_table
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.errors import ConfigError, RunError
from tellapart.files import expand_home, make_folder, write_whole
from tellapart.finetuning.start import SourceReference

_FORMAT = 1


@dataclass(frozen=True)
class DataReference:
    """Where a run's images came from, well enough to find and recognise them again."""

    source: str
    name: str
    fingerprint: str
    data_dir: str | None = None


def source_of(data: str | Path) -> str:
    """What a run writes down to find ``data`` again from anywhere: a name, or an absolute path."""
    if isinstance(data, str) and data in CATALOGUE:
        return data
    path = expand_home(data)
    return str(path.resolve()) if path.exists() else str(data)


@dataclass(frozen=True)
class RunFolder:
    """The files of one run. Making an instance touches no disk; see :func:`create_run`."""

    path: Path

    @property
    def recipe_file(self) -> Path:
        """The whole recipe, every field written out."""
        return self.path / "recipe.toml"

    @property
    def run_file(self) -> Path:
        """Which data, and when."""
        return self.path / "run.json"

    @property
    def environment_file(self) -> Path:
        """Machine and versions."""
        return self.path / "environment.json"

    @property
    def metrics_file(self) -> Path:
        """One row per epoch."""
        return self.path / "metrics.csv"

    @property
    def state_file(self) -> Path:
        """What the next epoch depends on."""
        return self.path / "training_state.safetensors"

    @property
    def start_file(self) -> Path:
        """What a fine-tuned run began with: the source's weights, fitted to the data."""
        return self.path / "start.safetensors"

    @property
    def images_file(self) -> Path:
        """The image files with their classes and splits; a table that can be trained on."""
        return self.path / "images.csv"

    @property
    def classifier_file(self) -> Path:
        """The result; written when training is over."""
        return self.path / "model.safetensors"

    @property
    def evaluation_file(self) -> Path:
        """The test split's figures; written last, so that its presence means: complete."""
        return self.path / "evaluation.json"

    @property
    def report_file(self) -> Path:
        """The page to look at."""
        return self.path / "report.html"

    def write_json(self, file: Path, content: Mapping[str, Any]) -> None:
        """Writes one of the run's JSON files, whole or not at all."""
        write_whole(file, json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n")

    def read_json(self, file: Path) -> dict[str, Any]:
        """Reads one of the run's JSON files.

        Raises:
            RunError: missing, or not a JSON object.
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
        """The recipe of this run.

        Raises:
            RunError: missing or unreadable.
            ConfigError: not a recipe.
        """
        try:
            text = self.recipe_file.read_text("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise RunError(f"{self.recipe_file} cannot be read: {error}") from None
        return recipe_from_toml(text, origin=str(self.recipe_file))

    def read_machine(self) -> dict[str, Any]:
        """Threads and precision with which the run began; empty where nothing was begun yet."""
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
        """Which data this run is trained on.

        Raises:
            RunError: missing or damaged.
        """
        try:
            reference = DataReference(**self.read_json(self.run_file)["data"])
            if not all(isinstance(value, str | None) for value in asdict(reference).values()):
                raise TypeError
            return reference
        except (KeyError, TypeError):
            raise RunError(f"{self.run_file} does not say which data the run used") from None

    def read_source(self) -> SourceReference:
        """What this run was fine-tuned from.

        Raises:
            RunError: missing or damaged.
        """
        try:
            return from_table(SourceReference, self.read_json(self.run_file)["finetuned_from"])
        except (KeyError, TypeError, ConfigError):
            raise RunError(
                f"{self.run_file} does not say what the run was fine-tuned from"
            ) from None

    def write_metrics(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Writes ``metrics.csv`` anew; an empty cell is a value that was not measured."""
        text = io.StringIO()
        writer = csv.DictWriter(text, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        write_whole(self.metrics_file, text.getvalue())

    def read_metrics(self) -> list[dict[str, float | None]]:
        """The rows of ``metrics.csv``; none where no epoch is finished.

        Raises:
            RunError: a file that cannot be read, or holds something else than numbers.
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


def create_run(
    path: Path | None,
    recipe: Recipe,
    data: DataReference,
    environment: Mapping[str, Any],
    source: SourceReference | None = None,
) -> RunFolder:
    """Makes a new run folder with its machine, its recipe and its data reference.

    Args:
        path: the folder; None chooses ``runs/DATA-RECIPE-N`` with the next free N.
        recipe: written out whole.
        data: where the images come from.
        environment: machine and versions; its threads and precision are those of the run.
        source: what it is fine-tuned from, or None.

    Raises:
        RunError: a folder that holds something already or cannot be made, or a file that cannot be
            written; the folder is then gone again, or empty if it was there before.
    """
    if path:
        run, is_new = RunFolder(path), _make_run_folder(path)
    else:
        run, is_new = RunFolder(_next_folder(f"{data.name}-{recipe.name}")), True
    created = datetime.now(UTC).isoformat(timespec="seconds")
    content = {"format": _FORMAT, "created": created, "data": asdict(data)}
    try:
        # What makes it a run comes last: whoever finds a run finds how it began.
        run.write_json(run.environment_file, environment)
        write_whole(run.recipe_file, recipe.to_toml(explain=True))
        finetuned = {"finetuned_from": asdict(source)} if source else {}
        run.write_json(run.run_file, content | finetuned)
    except BaseException:
        _take_back(run, with_folder=is_new)
        raise
    return run


def _take_back(run: RunFolder, *, with_folder: bool) -> None:
    """Removes what was begun, on a disk that was full for instance, so that nothing is in the way.

    What cannot be removed stays: the error that led here says more than one about this would.
    """
    with contextlib.suppress(OSError):
        run.environment_file.unlink(missing_ok=True)
        run.recipe_file.unlink(missing_ok=True)
        run.run_file.unlink(missing_ok=True)
        if with_folder:
            run.path.rmdir()


def _make_run_folder(path: Path) -> bool:
    """Makes the folder unless it is there, and empty; whether it was made."""
    try:
        is_new = not path.is_dir()
        path.mkdir(parents=True, exist_ok=True)
        if any(path.iterdir()):
            raise RunError(
                f"{path} is not empty and is left as it is; choose another --out, "
                f"or continue a run in it with --resume {path}"
            )
        if not os.access(path, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write")
    except OSError as error:
        raise RunError(
            f"cannot make the run folder {path}: {error.strerror or error}; choose another --out"
        ) from None
    return is_new


def _next_folder(stem: str) -> Path:
    # A name may hold anything; what a file system takes as one name is less.
    stem = re.sub(r"[^\w.-]+", "-", stem)
    make_folder(Path("runs"))
    number = 1
    while True:
        path = Path("runs") / f"{stem}-{number}"
        try:
            # Making the folder is what claims the number: two runs started at once get two.
            path.mkdir()
        except FileExistsError:
            number += 1
        except OSError as error:
            raise RunError(
                f"cannot make the run folder {path}: {error.strerror or error}; give one with --out"
            ) from None
        else:
            return path


def find_run(path: Path) -> RunFolder:
    """An existing run, finished or not.

    Raises:
        RunError: a folder that is no run.
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
    """Whether a folder is that of a run, finished or not."""
    run = RunFolder(path)
    return run.run_file.is_file() and run.recipe_file.is_file()


def find_classifier_file(path: Path) -> Path:
    """The classifier file of a run that was trained to its end, or the classifier file itself.

    Raises:
        RunError: a folder that is no run, or a run that is not finished.
    """
    if path.is_file():
        return path
    run = find_run(path)
    if not run.classifier_file.exists():
        raise RunError(
            f"run {path} is not finished: it has no {run.classifier_file.name}; "
            f"go on with `tellapart train --resume {path}`"
        )
    return run.classifier_file


def require_place_for_run(path: Path | None) -> None:
    """Refuses, before any work is done, a place where no run can be written.

    Args:
        path: the folder that is asked for; None is a new one in ``runs/``.

    Raises:
        RunError: a folder that holds something already, or one that cannot be written to.
    """
    place = path or Path("runs")
    try:
        if path and path.is_dir() and any(path.iterdir()):
            raise RunError(
                f"{path} is not empty and is left as it is; choose another --out, "
                f"or continue a run in it with --resume {path}"
            )
        nearest = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
        if not nearest.is_dir():
            raise NotADirectoryError(20, f"{nearest} is a file")
        if not os.access(nearest, os.W_OK | os.X_OK):
            raise PermissionError(13, f"no permission to write in {nearest.absolute()}")
    except OSError as error:
        raise RunError(
            f"cannot make the run folder {place}: {error.strerror or error}; "
            "choose another with --out"
        ) from None
