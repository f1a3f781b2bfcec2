"""Writing an evaluation: the HTML report, and the figures beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tellapart.errors import RunError
from tellapart.evaluation.assessment import Assessment
from tellapart.files import make_folder, write_whole
from tellapart.report.html import render_report
from tellapart.runs.folder import RunFolder
from tellapart.runtime import Runtime, describe_environment


@dataclass(frozen=True)
class About:
    """What a report shows besides the figures: title, data, environment, history and recipe."""

    title: str
    data: Mapping[str, Any]
    environment: Mapping[str, str]
    history: Sequence[Mapping[str, float | None]] = ()
    recipe: Mapping[str, Any] = field(default_factory=dict)


def about_runs(title: str, runs: Sequence[RunFolder], runtime: Runtime, views: str) -> About:
    """Return what the report shows about these runs; for one run also how it was trained.

    Raises:
        RunError: a damaged run.
    """
    environment = _environment_in_words(runtime)
    data = {
        "evaluated on": title,
        "views of each image": views,
        **_training_data(runs),
    }
    if len(runs) > 1:  # an ensemble has no single history or recipe
        return About(title, data, environment)
    run = runs[0]
    return About(title, data, environment, run.read_metrics(), run.read_recipe().to_mapping())


def write_evaluation(folder: Path, assessment: Assessment, about: About) -> Path:
    """Writes ``report.html``, then ``evaluation.json``, into a folder; returns the report's path.

    ``evaluation.json`` is the last file of a run: if it exists, the other files are complete.

    Raises:
        RunError: files that cannot be written.
    """
    evaluation = assessment.evaluation
    page = render_report(
        title=about.title,
        evaluation=evaluation,
        verdict=assessment.verdict,
        roc=assessment.roc,
        mistakes=assessment.mistakes,
        rejection=assessment.rejection,
        history=about.history,
        recipe=about.recipe,
        environment=about.environment,
        data={**about.data, "images": evaluation.num_images},
    )
    files = RunFolder(folder)
    make_folder(folder)
    write_whole(files.report_file, page)
    files.write_json(files.evaluation_file, evaluation.to_json())
    return files.report_file


def write_or_explain(
    folder: Path, assessment: Assessment, about: About
) -> tuple[Path | None, str | None]:
    """Call `write_evaluation`; return the path and None, or None and the error."""
    try:
        return write_evaluation(folder, assessment, about), None
    except RunError as error:
        return None, f"page and figures are not written: {error}"


def _environment_in_words(runtime: Runtime) -> dict[str, str]:
    """What is known of the environment as texts; without what is None."""
    described = describe_environment(runtime)
    waiting = described.pop("wait_policy")
    words = {name: str(value) for name, value in described.items()}
    if isinstance(waiting, dict):
        words["wait_policy"] = ", ".join(f"{name}={value}" for name, value in waiting.items())
    return words


def _training_data(runs: Sequence[RunFolder]) -> dict[str, Any]:
    """The training data of one run; for an ensemble, a line about each run."""
    if len(runs) == 1:
        data = runs[0].read_data_reference()
        return {"trained on": data.name, "fingerprint of the training data": data.fingerprint}
    table = {}
    for number, run in enumerate(runs, start=1):
        recipe, data = run.read_recipe(), run.read_data_reference()
        table[f"run {number}"] = (
            f"{run.path}: {recipe.model.network}, recipe {recipe.name}, "
            f"seed {recipe.training.seed}, trained on {data.name} ({data.fingerprint[:8]})"
        )
    return {"ensemble": table}
