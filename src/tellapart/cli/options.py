"""Options that several commands take, each written once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

if TYPE_CHECKING:
    from tellapart.runs.session import Session

RecipeName = Annotated[
    str | None,
    Parameter(
        name="--recipe",
        help="A name from `tellapart recipes list`, or a .toml file; chosen for the data, if left"
        " out.",
    ),
]
Settings = Annotated[
    tuple[str, ...],
    Parameter(
        name="--set",
        help="KEY=VALUE changes one field of the recipe, e.g. epochs=5; may be repeated."
        " `tellapart recipes show` lists all keys.",
    ),
]
Seed = Annotated[
    int | None, Parameter(help="Decides weights, shuffling and dropout; the recipe's, if left out.")
]
Shots = Annotated[
    int | None,
    Parameter(help="Train on so many images a class, drawn by the seed; all, if left out."),
]
DataDir = Annotated[
    Path | None, Parameter(help="Look for a data set's files here first, in DATA_DIR/NAME.")
]


@Parameter(name="*")
@dataclass(frozen=True)
class Machine:
    """Options of every command that computes: they end up in the command's `Session`."""

    device: Annotated[
        str, Parameter(help="auto, cpu, cuda, cuda:1 or mps; auto takes a GPU where there is one.")
    ] = "auto"
    threads: Annotated[
        int | None,
        Parameter(
            help="Threads for one operation; all cores, or of a run that is resumed the number it"
            " began with, if left out."
        ),
    ] = None


OwnNetwork = Annotated[
    str | None,
    Parameter(
        name="--network",
        help="A network of your own, my_nets.py:Net or package.module:Net: a class or function that"
        " takes in_channels and num_classes. It runs only when it is named here, so name it again"
        " for whatever was trained with it.",
    ),
]


@contextmanager
def console_session(
    machine: Machine | None = None, data_dir: Path | None = None, network: str | None = None
) -> Iterator[Session]:
    """The session of a command, from what the person typed; progress goes to standard error."""
    from tellapart.cli.progress import ConsoleCallbacks
    from tellapart.runs.session import Session

    machine = machine or Machine()
    with ConsoleCallbacks() as callbacks:
        yield Session(machine.device, machine.threads, data_dir, network, callbacks)


Tta = Annotated[
    bool | None,
    Parameter(
        name="--tta",
        negative="--no-tta",
        help="Average over nine views of each image: as it is, and shifted in the eight"
        " directions (by 1 pixel, or a 32nd of a larger side); of the mirror image too where the"
        " recipe's prediction.views has it. --no-tta takes the image as it is. As the recipe"
        " says, if left out.",
    ),
]
Json = Annotated[bool, Parameter(name="--json", help="Print one JSON object and nothing else.")]
