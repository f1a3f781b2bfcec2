"""Options that several commands take, each written once."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

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
    Parameter(help="Train on so many pictures a class, drawn by the seed; all, if left out."),
]
DataDir = Annotated[
    Path | None, Parameter(help="Look for a data set's files here first, in DATA_DIR/NAME.")
]
Device = Annotated[
    str, Parameter(help="auto, cpu, cuda, cuda:1 or mps; auto takes a GPU where there is one.")
]
Threads = Annotated[
    int | None, Parameter(help="Threads for one operation; all cores, if left out.")
]
Tta = Annotated[
    bool | None,
    Parameter(
        name="--tta",
        negative="--no-tta",
        help="Average over nine views of each picture: as it is, and shifted in the eight"
        " directions (by 1 pixel, or a 32nd of a larger side); of the mirror image too where the"
        " recipe's prediction.views has it. --no-tta takes the picture as it is. As the recipe"
        " says, if left out.",
    ),
]
Json = Annotated[bool, Parameter(name="--json", help="Print one JSON object and nothing else.")]
