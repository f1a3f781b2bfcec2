"""The command ``tellapart explain``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from tellapart.cli.json_output import print_result
from tellapart.cli.options import DataDir, Json, Machine, OwnNetwork, console_session

if TYPE_CHECKING:
    from tellapart.workflow.explain import ExplanationResult

_MACHINE = Machine()


def explain(
    run: Path,
    /,
    *pictures: str,
    method: Annotated[
        tuple[str, ...],
        Parameter(
            name="--method",
            help="grad-cam, integrated-gradients, occlusion or all; may be repeated. By default all"
            " for images up to 64 pixels a side, and grad-cam for larger ones.",
        ),
    ] = (),
    check: bool = False,
    as_is: bool = False,
    out: Path | None = None,
    data_dir: DataDir = None,
    network: OwnNetwork = None,
    machine: Machine = _MACHINE,
    json: Json = False,
) -> int:
    """Show why a classifier answers as it does: for its own mistakes, or for pictures.

    Heat maps for the answer and for the truth, the nearest training images, and which kind of
    mistake it is, on a page.

    Parameters
    ----------
    run
        The folder that `tellapart train` printed; for pictures also a classifier file.
    pictures
        Files, folders and patterns such as 'scans/*.png'; by default the 20 most confident mistakes
        of the run's test split.
    check
        Measure on 200 test images whether the maps of each method follow the network: against
        random maps, random weights and an edge detector, on the page explanation-check.html.
    as_is
        Read drawings as they are. By default a drawing whose background, size or position differs
        from the training images is changed to match them.
    out
        A new or empty folder for the page and for every heat map as PNG; by default the page is
        explanation.html in the run.
    """
    from tellapart.runtime import keep_freed_memory
    from tellapart.workflow.explain import explain as run_explanation

    keep_freed_memory()
    with console_session(machine, data_dir, network) as session:
        result = run_explanation(
            run, pictures, methods=method, check=check, as_is=as_is, out=out, session=session
        )
    print_result(result, result.to_json(), _print, as_json=json)
    # The readable pictures are explained first; the exit code then reports that some were not.
    return 2 if any(entry.found for entry in result.not_explained) else 0


def _print(result: ExplanationResult) -> None:
    from tellapart.cli.explanation_table import print_explanation

    print_explanation(result)
