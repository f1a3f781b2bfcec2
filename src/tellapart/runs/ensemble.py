"""The runs that answer together: whether they fit one another, and what each was trained on."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from tellapart.config import Recipe
from tellapart.data.image_set import DataSet, ImageSet
from tellapart.data.quality.duplicates import count_shared_images
from tellapart.data.selection import select_classes
from tellapart.data.sets.catalogue import CATALOGUE
from tellapart.errors import DataError, RunError
from tellapart.models.checkpoint import read_classifier, weights_sha256
from tellapart.models.classifier import Classifier
from tellapart.runs.callbacks import Callbacks
from tellapart.runs.folder import DataReference, RunFolder
from tellapart.runs.splits import training_splits
from tellapart.workflow.predict import open_finished_run
from tellapart.workflow.prepare import load_prepared, preparation_of


@dataclass(frozen=True)
class Member:
    """One run with what evaluating needs of it; ``data`` and ``recipe`` are of its training."""

    folder: RunFolder
    classifier: Classifier
    data: DataReference
    recipe: Recipe

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.folder.path

    def shares_data_with(self, other: Member) -> bool:
        """Whether both runs held out the same test pictures of the same data.

        The fingerprint of arrays says nothing of a test split that was cut from them afterwards.
        """
        ours, theirs = self.recipe.data, other.recipe.data
        return self.data.fingerprint == other.data.fingerprint and (
            (ours.test_fraction, ours.split_seed) == (theirs.test_fraction, theirs.split_seed)
        )


def open_members(runs: Sequence[str | Path]) -> list[Member]:
    """The runs, opened, in the order given.

    Raises:
        RunError: no run, a folder that is none or is not finished, or runs that do not know the
            same classes in the same order, or want their pictures in another form.
        ClassifierFileError, ConfigError: a run with a damaged file.
    """
    if not runs:
        raise RunError("no run is named; give the folder that `tellapart train` prints")
    members = [_open(Path(run)) for run in runs]
    for other in members[1:]:
        _require_alike(members[0], other)
    return members


def _open(path: Path) -> Member:
    folder = open_finished_run(path)
    classifier, _ = read_classifier(folder.classifier_file)
    return Member(folder, classifier, folder.read_data_reference(), folder.read_recipe())


def _require_alike(first: Member, other: Member) -> None:
    ours, theirs = first.classifier, other.classifier
    if ours.class_names != theirs.class_names:
        raise RunError(
            f"runs {first.path} and {other.path} do not know the same classes in the same order: "
            f"{_class_difference(ours.class_names, theirs.class_names)}; "
            "average runs that were trained on the same classes"
        )
    if (ours.image_shape, ours.fit) != (theirs.image_shape, theirs.fit):
        raise RunError(
            f"runs {first.path} and {other.path} want pictures prepared differently: (channels, "
            f"height, width) {ours.image_shape}, fit {ours.fit}, against "
            f"{theirs.image_shape}, fit {theirs.fit}; evaluate each by itself"
        )


def _class_difference(ours: tuple[str, ...], theirs: tuple[str, ...]) -> str:
    if len(ours) != len(theirs):
        return f"{len(ours)} against {len(theirs)}"
    return next(
        f"class {index} is {one!r} against {other!r}"
        for index, (one, other) in enumerate(zip(ours, theirs, strict=True))
        if one != other
    )


def require_one_validation_split(
    members: Sequence[Member], data_set: DataSet, validation: ImageSet
) -> None:
    """Refuses to validate on pictures that one of the runs was trained on.

    Args:
        members: the first one's are ``data_set`` and ``validation``.
        data_set: with the classes that the runs know.
        validation: as the first run's recipe cuts it.

    Raises:
        RunError: a run that chose by other pictures.
    """
    first = members[0]
    for other in members[1:]:
        theirs = None
        if first.shares_data_with(other):
            _, theirs = training_splits(data_set, other.recipe)
        if theirs is None or not torch.equal(validation.images, theirs.images):
            raise RunError(
                f"runs {first.path} and {other.path} have not the same validation split (another "
                "seed, share or data cuts another), so one was trained on what the other chose "
                "by; evaluate them on --split test"
            )


def warn_of_seen_images(
    members: Sequence[Member], image_set: ImageSet, callbacks: Callbacks, *, own: bool
) -> None:
    """Says how many of the pictures the runs have been trained on, as far as that can be known.

    Args:
        members: all that are evaluated.
        image_set: the pictures that they are evaluated on.
        callbacks: is warned.
        own: whether ``image_set`` is of the first run's data, cut as that run cut it; then those
            who share that data need no look.
    """
    asked = [member for member in members if not (own and member.shares_data_with(members[0]))]
    by_training: dict[tuple[object, ...], list[Member]] = {}
    for member in asked:
        by_training.setdefault(_what_it_learned_from(member), []).append(member)
    for alike in by_training.values():
        who = "the classifier" if len(members) == 1 else _named(alike)
        _warn_of_seen_images(alike[0], who, image_set, callbacks)


def _what_it_learned_from(member: Member) -> tuple[object, ...]:
    """Equal for runs with the same training pictures."""
    data = member.recipe.data
    drawn = bool(data.validation_fraction or data.shots)
    return member.data, data, member.recipe.training.seed if drawn else None


def _named(members: Sequence[Member]) -> str:
    paths = list(dict.fromkeys(str(member.path) for member in members))
    return f"run{'s' if len(paths) > 1 else ''} {', '.join(paths)}"


def _warn_of_seen_images(
    member: Member, who: str, image_set: ImageSet, callbacks: Callbacks
) -> None:
    known, recipe = member.data, member.recipe
    try:
        own = load_prepared(
            known.source,
            preparation_of(recipe.data),
            data_dir=known.data_dir,
            allow_download=False,
        )
        trained_on, _ = training_splits(select_classes(own, recipe.data.classes), recipe)
    except DataError:
        whose = "the run's own data" if who == "the classifier" else f"the data of {who}"
        callbacks.warn(
            f"{whose} ({known.name}) is not to be found, so nobody can say whether "
            "some of these pictures were trained on"
        )
        return
    shared = count_shared_images(image_set, trained_on)
    if shared:
        verb = "have" if who.startswith("runs ") else "has"
        callbacks.warn(
            f"{shared:,} of these {len(image_set):,} pictures are in the train split of "
            f"{known.name}: {who} {verb} seen them, and the accuracy says little"
        )


def ensemble_digest(members: Iterable[Member]) -> str:
    """Eight hexadecimal digits that tell these networks from any others, in whatever order."""
    digests = (weights_sha256(member.classifier.network.state_dict()) for member in members)
    return hashlib.sha256("".join(sorted(digests)).encode()).hexdigest()[:8]


def split_arguments(arguments: Sequence[str]) -> tuple[list[Path], str | None]:
    """The runs in ``RUN [RUN ...] [DATA]``, and the data where there is any.

    The first is a run. Any other is one where it is a run's folder; a name of the catalogue is not,
    as everywhere. The last may be something else, and is the data then.

    Raises:
        RunError: something else before the last.
    """
    first, *others = arguments
    is_run = [name not in CATALOGUE and _is_run_folder(Path(name)) for name in others]
    data = None
    if others and not is_run[-1]:
        data, is_run = others.pop(), is_run[:-1]
    for name, known in zip(others, is_run, strict=True):
        if not known:
            raise RunError(
                f"{name} is not a run, and only the last argument may be data; "
                "a run is the folder that `tellapart train` prints"
            )
    return [Path(first), *map(Path, others)], data


def _is_run_folder(path: Path) -> bool:
    run = RunFolder(path)
    return run.run_file.is_file() and run.recipe_file.is_file()
