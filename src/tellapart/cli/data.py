"""The commands of ``tellapart data``."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from tellapart.cli.json_output import print_json, print_result
from tellapart.cli.options import (
    Corrections,
    DataDir,
    GroupBy,
    Json,
    Machine,
    RecipeName,
    Settings,
    console_session,
    with_options,
)

_MACHINE = Machine()

data_app = App(name="data", help="List, download, check and prepare data sets.")


@data_app.command(name="list")
def list_data(*, json: Json = False) -> int:
    """List the data sets that can be given by name."""
    from tellapart.cli.tables import print_catalogue
    from tellapart.data.sets.catalogue import CATALOGUE

    if json:
        rows = [
            {
                "name": entry.name,
                "title": entry.title,
                "classes": list(entry.class_names),
                "licence": entry.licence,
                "download_bytes": entry.download_bytes,
            }
            for entry in CATALOGUE.values()
        ]
        print_json({"data_sets": rows})
    else:
        print_catalogue(CATALOGUE.values())
    return 0


@data_app.command
def fetch(name: str, /, *, data_dir: DataDir = None, json: Json = False) -> int:
    """Download the missing files of a data set and check their SHA-256.

    Parameters
    ----------
    name
        A name from `tellapart data list`.
    """
    from tellapart.data.sets.catalogue_files import fetch as fetch_files

    with console_session(data_dir=data_dir) as session:
        paths = fetch_files(
            name,
            data_dir=data_dir,
            progress=lambda done, total: session.callbacks.on_download(name, done, total),
        )
    if json:
        print_json({"name": name, "files": [str(path) for path in paths]})
    else:
        print("\n".join(map(str, paths)))
    return 0


@data_app.command(name="check")
def check_data(
    data: str,
    /,
    *,
    recipe: RecipeName = None,
    settings: Settings = (),
    group_by: GroupBy = None,
    corrections: Corrections = None,
    page: Path | None = None,
    labels: bool = False,
    out: Path | None = None,
    allow: bool = False,
    data_dir: DataDir = None,
    machine: Machine = _MACHINE,
    json: Json = False,
) -> int:
    """Check a data set for faults: unreadable files, repeated images, leaks, wrong labels.

    Exits with code 2 if images or groups of one split are also in another: an accuracy measured
    on such data would be too high.

    Parameters
    ----------
    data
        A folder with a sub-folder per class, a .csv table, an .npz archive, or a name from
        `tellapart data list`.
    page
        Write the findings with their images to this .html file.
    labels
        Look for wrong labels too, in every split: classifiers are trained by cross-validation, and
        what they contradict is listed, with a page and a table of corrections to edit and to give
        to --corrections. Without --recipe by a recipe that trains in seconds.
    out
        The folder for what --labels writes, label_check.html and corrections.csv; by default that
        of --page, or a new checks/DATA-N. Files that are there are never overwritten.
    allow
        Exit with code 0 despite leaks.
    """
    from tellapart.cli.tables import print_check
    from tellapart.workflow.check import check as run_check

    changed = with_options(settings, group_by, corrections)
    with console_session(machine, data_dir) as session:
        result = run_check(
            data,
            recipe=recipe,
            settings=changed,
            page=page,
            labels=labels,
            out=out,
            session=session,
        )
    print_result(result, result.to_json(), print_check, as_json=json)
    return 2 if result.audit.has_leaks and not allow else 0


@data_app.command(name="prepare")
def prepare_data(
    data: str,
    /,
    *,
    recipe: RecipeName = None,
    settings: Settings = (),
    group_by: GroupBy = None,
    data_dir: DataDir = None,
    json: Json = False,
) -> int:
    """Decode and resize image files into the cache, so that training starts without delay.

    Parameters
    ----------
    data
        A folder with a sub-folder per class, or a .csv table.
    """
    from tellapart.cli.tables import print_preparation
    from tellapart.workflow.prepare import prepare as run_preparation

    changed = with_options(settings, group_by)
    with console_session(data_dir=data_dir) as session:
        result = run_preparation(data, recipe=recipe, settings=changed, session=session)
    print_result(result, result.to_json(), print_preparation, as_json=json)
    return 0
