"""``explain``: why a classifier answers as it does, for its own mistakes or for pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tellapart.errors import TellapartError
from tellapart.explanation.check_page import verdict_card
from tellapart.explanation.checked import MapCheck
from tellapart.explanation.entries import Explained, NotExplained
from tellapart.explanation.explaining import Explainer
from tellapart.explanation.methods import ChosenMethods, checked_names, choose_methods
from tellapart.explanation.neighbourhood import Neighbourhood, measure_neighbourhood
from tellapart.explanation.output import (
    heat_map_files,
    require_new_folder,
    write_explanation,
)
from tellapart.explanation.page import Subject, render_explanation
from tellapart.models.classifier import Classifier
from tellapart.models.views import num_views
from tellapart.runs.session import Session
from tellapart.runs.trained_run import TrainedRun, open_run
from tellapart.wording import plural
from tellapart.workflow.explained_images import (
    ImagesToExplain,
    mistakes_to_explain,
    pictures_to_explain,
)
from tellapart.workflow.explanation_check import CHECK_PAGE, check_maps, write_check

PAGE = "explanation.html"


@dataclass(frozen=True)
class ExplanationResult:
    """The result of `explain`.

    Args:
        run: the run, or the classifier file.
        explained: the explained images: mistakes, the most confident first, or pictures.
        not_explained: the pictures that could not be explained.
        methods: the names of the methods of the heat maps.
        num_mistakes: how many mistakes there are on the test split; None for pictures.
        num_images: how many images the test split has; None for pictures.
        notes: what a person should know, such as a method that was left out.
        page: the page; None for a classifier file without ``out``.
        files: the heat maps that were written as PNG.
        check: whether the maps follow the network; None where it was not asked.
        check_page: the page of the check.
    """

    run: Path
    explained: tuple[Explained, ...]
    not_explained: tuple[NotExplained, ...]
    methods: tuple[str, ...]
    num_mistakes: int | None
    num_images: int | None
    notes: tuple[str, ...]
    page: Path | None
    files: tuple[Path, ...] = ()
    check: MapCheck | None = None
    check_page: Path | None = None

    @property
    def largest_gap(self) -> float | None:
        """The largest completeness gap of integrated gradients, a fraction; None without them."""
        gaps = [
            gap
            for entry in self.explained
            for pair in entry.maps.values()
            for gap in pair.gaps or ()
        ]
        return max(gaps, default=None)

    def to_json(self) -> dict[str, Any]:
        """Return what ``explain --json`` prints."""
        return {
            "run": str(self.run),
            "methods": list(self.methods),
            "num_images": self.num_images,
            "num_mistakes": self.num_mistakes,
            "pictures": [
                *(entry.to_json() for entry in self.explained),
                *(entry.to_json() for entry in self.not_explained),
            ],
            "largest_completeness_gap": self.largest_gap,
            "notes": list(self.notes),
            "page": None if self.page is None else str(self.page),
            "files": [str(file) for file in self.files],
            **({"check": self._check_to_json(self.check)} if self.check else {}),
        }

    def _check_to_json(self, check: MapCheck) -> dict[str, Any]:
        return {**check.to_json(), "page": str(self.check_page) if self.check_page else None}


def explain(
    run: str | Path,
    images: Sequence[str | Path] = (),
    *,
    methods: Sequence[str] | None = None,
    check: bool = False,
    as_is: bool = False,
    out: str | Path | None = None,
    session: Session | None = None,
) -> ExplanationResult:
    """Explains the answers of a run's classifier, on a page: for its mistakes, or for pictures.

    Without ``images`` these are the 20 most confident mistakes on the run's own test split. For
    each there are heat maps for the answer and for the truth (of a picture: for the runner-up), the
    nearest training images, and which kind of mistake it is (`tellapart.explanation.kinds`).

    Args:
        run: a run folder; for pictures also a classifier file.
        images: files, folders and patterns, read as ``predict`` reads them; at most 500 images.
        methods: ``grad-cam``, ``integrated-gradients`` and ``occlusion``, or ``all``; None is all
            for images up to 64 pixels a side and Grad-CAM for larger ones.
        check: also measure on test images whether the maps of each method follow the network, on a
            page of its own, ``explanation-check.html``.
        as_is: keep drawings as they are; by default they are changed as ``predict`` does.
        out: a new or empty folder for the page and for every heat map as PNG; None writes
            ``explanation.html`` into the run.
        session: device, data folder and callbacks; None is the default `Session`.

    Returns:
        The explained images, and the path of the page.

    Raises:
        TellapartError: a subclass of it, if the request or its input is wrong.

    >>> import tellapart
    >>> quick = {"training.epochs": 1, "model.network": "single-conv"}
    >>> run = tellapart.train(settings=quick).run
    >>> result = tellapart.explain(run, methods=["grad-cam"])
    >>> len(result.explained), result.page.name
    (20, 'explanation.html')
    """
    session = session or Session()
    checked_names(methods)
    if out is not None:
        require_new_folder(Path(out))
    opened = open_run(run, session=session)
    classifier = opened.classifier.to(session.runtime().device).eval()
    chosen = choose_methods(methods, classifier)
    with session.limited_threads():
        checked = check_maps(opened, classifier, chosen) if check else None
        found = (
            pictures_to_explain(opened, classifier, images, as_is=as_is)
            if images
            else mistakes_to_explain(opened, classifier)
        )
        notes = _notes(classifier, chosen)
        around = _neighbourhood(opened, classifier, found, notes)
        explained = Explainer(classifier, around).explain(found.answered, chosen.methods)
    subject = Subject(found.title, found.lead, tuple(notes), around.reference if around else None)
    page, files = _write(opened, subject, chosen, explained, found, out, checked)
    for note in notes:
        session.callbacks.note(note)
    return ExplanationResult(
        opened.path,
        explained,
        found.not_explained,
        tuple(method.name for method in chosen.methods),
        found.num_mistakes,
        found.num_images,
        tuple(notes),
        page,
        files,
        checked,
        None if checked is None or page is None else page.parent / CHECK_PAGE,
    )


def _notes(classifier: Classifier, chosen: ChosenMethods) -> list[str]:
    """What is different from what a person may expect."""
    notes = [chosen.note] if chosen.note else []
    count = num_views(classifier.views)
    if count > 1:
        notes.append(
            f"the answers are averaged over {count} views of each image; the heat maps explain the "
            "unchanged image alone"
        )
    return notes


def _neighbourhood(
    run: TrainedRun, classifier: Classifier, found: ImagesToExplain, notes: list[str]
) -> Neighbourhood | None:
    """The training images to compare with; None, with a note, where pictures have none."""
    if not found.answered:
        return None
    missing = "the pictures are not compared with training images"
    if run.path.is_file():
        notes.append(f"{missing}: a classifier file does not know them; give the run's folder")
        return None
    try:
        splits = run.splits
    except TellapartError as error:
        # Reached for pictures only: mistakes are found by the same splits.
        notes.append(f"{missing}: {error}")
        return None
    session = run.session
    around = measure_neighbourhood(
        classifier,
        splits,
        session.runtime(),
        session.callbacks.progress_of("computing features"),
    )
    if not around.reference.is_large_enough:
        notes.append(
            f"only {plural(around.reference.num_images, 'image')} to compare with: too few to call "
            "an image unlike the training images, or two classes alike"
        )
    return around


def _write(
    run: TrainedRun,
    subject: Subject,
    chosen: ChosenMethods,
    explained: Sequence[Explained],
    found: ImagesToExplain,
    out: str | Path | None,
    checked: MapCheck | None,
) -> tuple[Path | None, tuple[Path, ...]]:
    """Writes the page, and with ``out`` every heat map; the page is written last."""
    if out is None and run.path.is_file():
        run.session.callbacks.note(
            "no page is written for a classifier file without its run; --out DIR writes it there"
        )
        return None, ()
    further = [] if checked is None else [verdict_card(checked, CHECK_PAGE)]
    page = render_explanation(subject, chosen.methods, explained, found.not_explained, *further)
    folder = run.path if out is None else Path(out)
    if checked is not None:
        write_check(folder, run, checked)
    maps = {} if out is None else heat_map_files(explained)
    files = write_explanation(folder, maps, PAGE, page)
    return folder / PAGE, files
