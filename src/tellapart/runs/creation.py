"""Makes the folder of a new run; says early where none can be made."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tellapart.config import Recipe
from tellapart.errors import RunError
from tellapart.files import make_folder, write_whole
from tellapart.finetuning.start import SourceReference
from tellapart.runs.folder import DataReference, RunFolder

_FORMAT = 1


def require_place_for_run(path: Path | None) -> None:
    """Refuses, before any work is done, a path where no run can be written.

    Args:
        path: the requested folder; None is a new one in ``runs/``.

    Raises:
        RunError: a folder that is not empty, or one that cannot be written to.
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


def create_run(
    path: Path | None,
    recipe: Recipe,
    data: DataReference,
    environment: Mapping[str, Any],
    source: SourceReference | None = None,
    corrections: str | None = None,
) -> RunFolder:
    """Creates a run folder and records the machine, the recipe and the data reference in it.

    Args:
        path: the folder; None chooses ``runs/DATA-RECIPE-N`` with the next free N.
        recipe: written with every field.
        data: where the images come from.
        environment: machine and versions; its threads and precision are those of the run.
        source: what it is fine-tuned from, or None.
        corrections: the text of the corrected labels; None where the recipe asks for none.

    Raises:
        RunError: a folder that is not empty or cannot be made, or a file that cannot be written;
            what was written is then removed again.
    """
    if path:
        run, is_new = RunFolder(path), _make_run_folder(path)
    else:
        run, is_new = RunFolder(_next_folder(f"{data.name}-{recipe.name}")), True
    created = datetime.now(UTC).isoformat(timespec="seconds")
    content = {"format": _FORMAT, "created": created, "data": asdict(data)}
    try:
        # run.json makes it a run and is written last, so every run has the other files.
        run.write_json(run.environment_file, environment)
        write_whole(run.recipe_file, recipe.to_toml(explain=True))
        if corrections is not None:
            write_whole(run.corrections_file, corrections)
        finetuned = {"finetuned_from": asdict(source)} if source else {}
        run.write_json(run.run_file, content | finetuned)
    except BaseException:
        _remove_new_run(run, with_folder=is_new)
        raise
    return run


def _remove_new_run(run: RunFolder, *, with_folder: bool) -> None:
    """Removes the files of a run that could not be created, e.g. because the disk is full.

    A file that cannot be removed is left: the first error is the one to report.
    """
    with contextlib.suppress(OSError):
        run.environment_file.unlink(missing_ok=True)
        run.recipe_file.unlink(missing_ok=True)
        run.corrections_file.unlink(missing_ok=True)
        run.run_file.unlink(missing_ok=True)
        if with_folder:
            run.path.rmdir()


def _make_run_folder(path: Path) -> bool:
    """Makes the folder unless it exists and is empty; returns whether it was made."""
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
    # A data set's name may hold characters that a file name cannot.
    stem = re.sub(r"[^\w.-]+", "-", stem)
    make_folder(Path("runs"))
    number = 1
    while True:
        path = Path("runs") / f"{stem}-{number}"
        try:
            # Making the folder reserves the number: two runs started at once get two folders.
            path.mkdir()
        except FileExistsError:
            number += 1
        except OSError as error:
            raise RunError(
                f"cannot make the run folder {path}: {error.strerror or error}; give one with --out"
            ) from None
        else:
            return path
