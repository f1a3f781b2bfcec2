"""Options that several commands take, each written once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

if TYPE_CHECKING:
    from tellapart.config import Settings as SettingsOrTexts
    from tellapart.runs.session import Session

RecipeName = Annotated[
    str | None,
    Parameter(
        name="--recipe",
        help="A name from `tellapart recipes list`, or a .toml file; by default one is"
        " chosen for the data.",
    ),
]
PresetName = Annotated[
    Literal["quick", "good", "best"] | None,
    Parameter(
        name="--preset",
        help="Chooses the recipe by how long it may take: quick (a minute or less for 2,000"
        " images), good (minutes) or best (longer); by default by the images.",
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
GroupBy = Annotated[
    str | None,
    Parameter(
        name="--group-by",
        help="Keep groups of images, such as a patient's, in one split: a regular expression that"
        " finds the group's name in the path of a file, e.g. 'patient(\\d+)_'; the same as"
        " --set data.group_by=PATTERN.",
    ),
]
Corrections = Annotated[
    Path | None,
    Parameter(
        name="--corrections",
        help="Correct labels by this table of split, index or path, given and suggested label, as"
        " `data check` writes it if asked for wrong labels. It is the recipe's data.corrections.",
    ),
]
Seed = Annotated[
    int | None, Parameter(help="Decides weights, shuffling and dropout; by default the recipe's.")
]
Shots = Annotated[
    int | None,
    Parameter(help="Train on this many images per class, drawn by the seed; by default all."),
]
DataDir = Annotated[
    Path | None, Parameter(help="Look first for a data set's files here, in DATA_DIR/NAME.")
]


@Parameter(name="*")
@dataclass(frozen=True)
class Machine:
    """Options of every command that computes, for the command's `Session`."""

    device: Annotated[
        str,
        Parameter(help="auto, cpu, cuda, cuda:1 or mps; by default auto: a GPU if there is one."),
    ] = "auto"
    threads: Annotated[
        int | None,
        Parameter(
            help="Threads for one operation; by default one per core, or the number that a resumed"
            " run began with."
        ),
    ] = None


SetMethod = Annotated[
    Literal["lac", "aps", "raps"] | None,
    Parameter(
        name="--sets",
        help="How the sets of --coverage are made: lac, the smallest ones on average (the default);"
        " aps, larger ones for harder images; raps, like aps with fewer very large ones.",
    ),
]
PerClass = Annotated[
    bool,
    Parameter(
        name="--per-class",
        negative="",
        help="With --coverage, promise it for the images of each class by themselves.",
    ),
]


@Parameter(name="*")
@dataclass(frozen=True)
class Examinations:
    """Further examinations of `evaluate`, under the names that it takes them by in Python."""

    corrupted: Annotated[
        bool,
        Parameter(
            help="Classify the images again, corrupted in fifteen ways (noise, blur, weather, ...),"
            " each in five strengths.",
        ),
    ] = False
    subgroups: Annotated[
        str | None,
        Parameter(
            help="A column of the data's table, such as the machine or the site: accuracy by its"
            " values, and whether chance explains the differences.",
        ),
    ] = None
    against: Annotated[
        str | None,
        Parameter(
            help="Compare with another run on the same images: McNemar's exact test, and what each"
            " classifies correctly that the other does not.",
        ),
    ] = None
    attacked: Annotated[
        bool,
        Parameter(
            help="Change some images so as to mislead the classifier, with growing strength. It"
            " shows a weakness, and promises nothing.",
        ),
    ] = False
    coverage: Annotated[
        float | None,
        Parameter(
            help="Give each image a set of classes that holds the true one so often, e.g. 0.99, and"
            " measure how often it does and how large the sets are.",
        ),
    ] = None
    sets: SetMethod = None
    per_class: PerClass = False
    outside: Annotated[
        tuple[str, ...],
        Parameter(
            help="Compare with images of another kind: how well can they be told from the"
            " classifier's own? A data set, files, a folder or a pattern; may be repeated. Labels"
            " are not used.",
        ),
    ] = ()


OwnNetwork = Annotated[
    str | None,
    Parameter(
        name="--network",
        help="A network of your own, my_nets.py:Net or package.module:Net: a class or function that"
        " takes in_channels and num_classes. Its code runs only if it is named here, so give it"
        " again with every run that was trained with it.",
    ),
]


def with_options(
    settings: Settings, group_by: str | None, corrections: Path | None = None
) -> SettingsOrTexts:
    """Return the settings that a person typed, with those of --group-by and --corrections."""
    from tellapart.config import typed_settings, with_corrections

    changed = with_corrections(settings, corrections)
    if group_by is None:
        return changed
    return {**typed_settings(changed), "data.group_by": group_by}


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
        help="Average the probabilities over nine views of each image: unchanged, and shifted in"
        " eight directions (by 1 pixel, or a 32nd of a larger side), and over their mirror images"
        " where the recipe's prediction.views includes them. --no-tta uses the unchanged image"
        " only. By default the recipe's views are used.",
    ),
]
Recall = Annotated[
    tuple[str, ...],
    Parameter(
        name="--recall",
        help="CLASS=0.95 chooses, on the run's validation split, the highest probability from which"
        " on CLASS has to be answered to find at least 95 % of its images. The threshold is stored"
        " in the run's classifier, which predict and evaluate then answer by; none removes it.",
    ),
]
Json = Annotated[bool, Parameter(name="--json", help="Print one JSON object and nothing else.")]
