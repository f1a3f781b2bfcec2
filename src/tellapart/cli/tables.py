"""Results as text: what the commands print on standard output."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tellapart.cli.text_table import print_text_table
from tellapart.cli.threshold_table import print_threshold
from tellapart.wording import listed, percent, plural

if TYPE_CHECKING:
    from tellapart.config import Recipe
    from tellapart.data.image_set import ImageSet
    from tellapart.data.quality.findings import FoundImage
    from tellapart.data.sets.catalogue import CatalogueEntry
    from tellapart.evaluation import Evaluation
    from tellapart.finetuning.start import Start
    from tellapart.finetuning.transfer import TensorTransfer
    from tellapart.runs.plan import Plan
    from tellapart.workflow.check import CheckResult
    from tellapart.workflow.evaluate import EvaluationResult
    from tellapart.workflow.finetune import ComparedWay
    from tellapart.workflow.prepare import PreparationResult
    from tellapart.workflow.reproduce import Claim
    from tellapart.workflow.show import ShownNetwork
    from tellapart.workflow.training_result import TrainingResult

# More classes than this, and only the worst are listed; report.html has them all.
_MOST_CLASSES_LISTED = 20
_MOST_CLASSES_NAMED = 10
_NUM_CONFUSIONS = 5
_NUM_LABELS_NAMED = 10
_NUM_FILES_NAMED = 5
_NUM_OF_GROUP_NAMED = 3
_NUM_TENSORS_NAMED = 3
_NUM_STAGES_NAMED = 8


def print_plan(plan: Plan, console: Console | None = None, *, shows_transfers: bool = True) -> None:
    """Prints the plan of a training run and, if asked for, what became of the source's weights."""
    train = plan.train
    channels, height, width = train.image_shape
    colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    counts = " · ".join(f"{name} {len(part):,}" for name, part in plan.splits.items())
    lines = [
        ("data", f"{plan.data.name}: {counts}"),
        ("", f"{train.num_classes} classes, {_per_class(train)} each; {width}x{height} {colour}"),
        ("classes", _classes(train)),
        *(("", note) for note in plan.data_set.notes),
        ("recipe", plan.recipe.name + (f" (chosen: {plan.reason})" if plan.reason else "")),
        ("", _recipe_line(plan.recipe)),
        ("", _calibration_line(plan)),
        ("network", f"{plan.recipe.model.network}, {plan.num_parameters:,} parameters"),
        *_views_line(plan),
        *(_start_lines(plan.start) if plan.start else ()),
        *(_transfer_lines(plan.start) if plan.start and shows_transfers else ()),
        ("machine", f"{plan.runtime.device}, {plan.runtime.precision}"),
    ]
    for name, text in lines:
        (console or _stdout()).print(Text(f"{name:9} {text}"), soft_wrap=True)


def _views_line(plan: Plan) -> list[tuple[str, str]]:
    """The number of views of an image that predictions average over, if more than one."""
    from tellapart.models.views import num_views, views_in_words

    count = num_views(plan.classifier.views)
    words = views_in_words([count])
    return [("", f"predicts from {words} views of each image")] if count > 1 else []


def _calibration_line(plan: Plan) -> str:
    """Return which images make its confidence true."""
    return {
        "validation": "its confidence is calibrated on the validation split",
        "calibration": "its confidence is calibrated on the calibration split",
        "cross-validation": "its confidence is calibrated by cross-validation on train",
        None: "uncalibrated: its confidence may be too high or too low",
    }[plan.calibrated_on]


def _start_lines(start: Start) -> list[tuple[str, str]]:
    """Where the weights come from, and how many of them will be trained."""
    return [
        ("source", f"{start.reference.source}, weights {start.reference.weights_sha256[:12]}"),
        (
            "freezing",
            f"{start.freezing}; stages: {listed(start.stages, _NUM_STAGES_NAMED)}, output; "
            f"{percent(start.fraction_trained, 1)} of the weights are trained",
        ),
    ]


def _transfer_lines(start: Start) -> list[tuple[str, str]]:
    """How many tensors were loaded, adapted or are new: a line per outcome and reason."""
    kinds: dict[tuple[str, str], list[TensorTransfer]] = {}
    for outcome in ("loaded", "adapted", "new"):
        for entry in start.transfers:
            if entry.outcome == outcome:
                kinds.setdefault((outcome, entry.how), []).append(entry)
    lines = []
    for (outcome, how), entries in kinds.items():
        total = sum(math.prod(entry.shape) for entry in entries)
        size = f"{total / 1e6:.1f} million weights" if total >= 1e6 else plural(total, "weight")
        names = listed((entry.name for entry in entries), _NUM_TENSORS_NAMED)
        reason = f", {how}: {names}" if how else ""
        lines.append(f"{outcome:7} {plural(len(entries), 'tensor')} ({size}){reason}")
    return [("" if number else "weights", line) for number, line in enumerate(lines)]


def _classes(train: ImageSet) -> str:
    """The names of the first classes with their counts: ``ants (123), bees (121) and 3 more``."""
    counted_names = list(zip(train.class_names, train.class_counts(), strict=True))
    shown = ", ".join(
        f"{name if name and name == name.strip() else repr(name)} ({count:,})"
        for name, count in counted_names[:_MOST_CLASSES_NAMED]
    )
    more = len(counted_names) - _MOST_CLASSES_NAMED
    return shown + (f" and {more:,} more" if more > 0 else "")


def _per_class(train: ImageSet) -> str:
    counts = train.class_counts()
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def _recipe_line(recipe: Recipe) -> str:
    training, optimizer = recipe.training, recipe.optimizer
    if not training.epochs:
        return f"no epochs: only the output layer is computed, seed {training.seed}"
    return (
        f"{plural(training.epochs, 'epoch')}, batches of {training.batch_size}, {optimizer.name} "
        f"at {optimizer.learning_rate:g}, {recipe.schedule.name} schedule, seed {training.seed}"
    )


def print_evaluation(evaluation: Evaluation, title: str) -> None:
    """Prints a headline, a row per class, and the most frequent confusions."""
    from tellapart.evaluation import most_confused

    console = _stdout()
    # A table's own title would be folded to the table's width.
    console.print(Text(title, style="table.title"), soft_wrap=True)
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("class", "images", "precision", "recall", "F1", "AUC"):
        table.add_column(column, justify="left" if column == "class" else "right")
    rows = sorted(evaluation.per_class, key=lambda row: row.f1)
    if len(rows) > _MOST_CLASSES_LISTED:
        left_out = len(rows) - _MOST_CLASSES_LISTED
        table.caption = f"the {_MOST_CLASSES_LISTED} worst; {left_out} more in report.html"
        rows = rows[:_MOST_CLASSES_LISTED]
    else:
        rows = list(evaluation.per_class)
    for row in rows:
        scores = (f"{score:.4f}" for score in (row.precision, row.recall, row.f1))
        table.add_row(Text(row.name), f"{row.support:,}", *scores, _number(row.auc))
    table.add_row(
        Text("macro mean", style="bold"),
        f"{evaluation.num_images:,}",
        f"{evaluation.macro_precision:.4f}",
        f"{evaluation.macro_recall:.4f}",
        f"{evaluation.macro_f1:.4f}",
        _number(evaluation.macro_auc),
    )
    console.print(table)
    confused = most_confused(evaluation, _NUM_CONFUSIONS)
    names = evaluation.class_names
    pairs = [f"{names[p.label]} as {names[p.prediction]} ({p.num_images})" for p in confused]
    wrong = evaluation.num_images - evaluation.num_correct
    print()
    _print_accuracy(evaluation)
    print(f"loss      {evaluation.loss:.4f}")
    _print_calibration(evaluation)
    print(f"mistakes  {wrong:,}" + (", most often " + ", ".join(pairs) if pairs else ""))


def _print_calibration(evaluation: Evaluation) -> None:
    """Prints the calibration error, what chance alone would give, and what it was before."""
    low, high = evaluation.expected_calibration_error_band
    print(
        f"          calibration error {percent(evaluation.expected_calibration_error)}; perfectly "
        f"calibrated it would be {percent(low)} to {percent(high)} on as many images"
    )
    if evaluation.temperature is None:
        print(
            "          uncalibrated: no temperature was fitted to images that were not trained on"
        )
        return
    assert evaluation.uncalibrated_calibration_error is not None
    print(
        f"          by temperature {evaluation.temperature:.3f}; before, "
        f"{percent(evaluation.uncalibrated_calibration_error)} and loss "
        f"{evaluation.uncalibrated_loss:.4f}"
    )


def _print_accuracy(evaluation: Evaluation) -> None:
    """Prints accuracy and its baseline; before them balanced accuracy if classes are unequal."""
    if evaluation.is_unbalanced:
        low, high = evaluation.balanced_accuracy_interval
        num_present = sum(row.support > 0 for row in evaluation.per_class)
        print(
            f"balanced  {percent(evaluation.balanced_accuracy)} balanced accuracy, the mean recall "
            f"of {num_present} classes (95 % interval {percent(low)} to {percent(high)})"
        )
    low, high = evaluation.accuracy_interval
    print(
        f"accuracy  {percent(evaluation.accuracy)} "
        f"(95 % interval {percent(low)} to {percent(high)}, {evaluation.num_images:,} images)"
    )
    baseline = percent(evaluation.majority_baseline)
    print(f"baseline  {baseline} accuracy, by always answering {evaluation.majority_class!r}")


def print_evaluation_result(result: EvaluationResult) -> None:
    """Prints the figures, the path of the report, and a warning if the classifier is of no use."""
    print_evaluation(result.evaluation, result.title)
    if result.without_threshold:
        print()
        print_threshold(
            _stdout(wide=True),
            result.without_threshold,
            result.evaluation,
            result.chosen_threshold,
        )
    if result.report:
        print(f"report    {result.report}")
    for examination in result.examinations:
        print()
        print_text_table(_stdout(wide=True), examination.table)
        if examination.name in result.pages:
            print(f"page      {result.pages[examination.name]}")
    print_verdict(result.verdict)


def print_training(result: TrainingResult) -> None:
    """Prints the result of a training run, and a warning if the classifier is of no use."""
    if result.test is None:
        print(f"{result.data} has no test split, so there is no test accuracy")
    else:
        print_evaluation(result.test, result.title)
        print(f"report    {result.run / 'report.html'}")
    print(f"trained   {plural(result.num_epochs, 'epoch')} in {result.train_seconds:.1f} s")
    print(f"run       {result.run}")
    print_verdict(result.verdict)


def print_verdict(verdict: str | None) -> None:
    """Prints the warning that a classifier is of no use, if there is one."""
    if verdict:
        _stdout().print(Text(f"\nWARNING: {verdict}", style="bold red"), soft_wrap=True)


def print_reproduction(results: Sequence[tuple[Claim, TrainingResult]]) -> None:
    """Prints, per recipe, the article's claim, the accuracy of its own loop, and ours."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("recipe", "article's claim", "its loop, repaired", "accuracy", "loss", "time"):
        right = column in ("its loop, repaired", "loss", "time")
        table.add_column(column, justify="right" if right else "left", no_wrap=True)
    for claim, result in results:
        reference = claim.reference_accuracy
        accuracy, loss = "no test split", ""
        if result.test:
            low, high = result.test.accuracy_interval
            accuracy = f"{percent(result.test.accuracy)} ({100 * low:.2f} to {percent(high)})"
            loss = f"{result.test.loss:.4f}"
        table.add_row(
            claim.recipe,
            claim.claim,
            percent(reference) if reference else "not run",
            accuracy,
            loss,
            f"{result.train_seconds:.1f} s",
        )
    _stdout(wide=True).print(table)
    print("\nIn brackets: the 95 % interval. Time: the training loop alone.")
    for claim, result in results:
        print_verdict(result.verdict and f"{claim.recipe}: {result.verdict}")


def print_comparison(ways: Sequence[ComparedWay]) -> None:
    """Prints, per way, accuracy with its interval, the fraction trained, and the time."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    has_validation = any(way.result.validation_accuracy is not None for way in ways)
    columns = ["way", "test accuracy, 95 % interval", "weights trained", "time", "run"]
    if has_validation:
        columns.insert(1, "validation")
    for column in columns:
        left = column in ("way", "run")
        table.add_column(column, justify="left" if left else "right", no_wrap=True)
    for way in ways:
        result, accuracy = way.result, "no test split"
        if result.test:
            low, high = result.test.accuracy_interval
            accuracy = f"{percent(result.test.accuracy)} ({100 * low:.2f} to {percent(high)})"
        chosen_by = result.validation_accuracy
        row = [accuracy, percent(way.fraction_trained, 1), f"{result.train_seconds:.1f} s"]
        if has_validation:
            row.insert(0, "-" if chosen_by is None else percent(chosen_by))
        table.add_row(way.name, *row, Text(str(result.run)))
    _stdout(wide=True).print(table)
    print(
        "\nAll use the same images, epochs, batches and seed. The test split measures each way;\n"
        "to choose among them, use the validation split (--set validation_fraction=0.2)."
    )
    for way in ways:
        print_verdict(way.result.verdict and f"{way.name}: {way.result.verdict}")


def print_check(result: CheckResult) -> None:
    """Prints a row per split with its class counts, then every finding."""
    from tellapart.data.quality.findings import GROUP_LEAK

    data_set = result.data_set
    for split, part in data_set.splits.items():
        counts = part.class_counts()
        spread = f"{min(counts):,} to {max(counts):,} a class" if len(set(counts)) > 1 else ""
        each = spread or f"{counts[0]:,} a class"
        _stdout().print(Text(f"{split:11}{plural(len(part), 'image')}, {each}"), soft_wrap=True)
    first = next(iter(data_set.splits.values()))
    _stdout().print(Text(f"{'classes':11}{_classes(first)}"), soft_wrap=True)
    for note in data_set.notes:
        _stdout().print(Text(f"           {note}"), soft_wrap=True)
    print()
    styles = {"leak": "bold red", "fault": "yellow", "fact": ""}
    for finding in result.audit.findings:
        line = Text(f"{finding.severity:7}", style=styles[finding.severity])
        line.append(f"{finding.kind}: {finding.message}", style="")
        _stdout().print(line, soft_wrap=True)
        for path, reason in finding.paths[:_NUM_FILES_NAMED]:
            _stdout().print(Text(f"         {path}: {reason}"), soft_wrap=True)
        for group in finding.groups[:_NUM_FILES_NAMED]:
            separator = ", " if finding.kind == GROUP_LEAK else " = "
            _stdout().print(Text(f"         {_in_one_line(group, separator)}"), soft_wrap=True)
        unnamed = max(len(finding.paths), len(finding.groups)) - _NUM_FILES_NAMED
        if unnamed > 0:
            print(f"         and {unnamed:,} more")
    if not result.audit.findings:
        print("no faults were found")
    if result.page:
        print(f"page       {result.page}")
    if result.labels:
        print_labels(result)


def print_labels(result: CheckResult) -> None:
    """Prints the most suspicious labels, and the paths of the page and of the corrections."""
    found = result.labels
    assert found is not None
    print()
    counted = plural(len(found.suspicious), "suspicious label")
    agreed = ", ".join(f"{split} {percent(a)}" for split, a in found.accuracies.items())
    print(f"labels     {counted}; by recipe {found.recipe}, agreement with {agreed}")
    for label in found.suspicious[:_NUM_LABELS_NAMED]:
        where = label.path or f"{label.split}[{label.index}]"
        text = (
            f"         {where}: labelled {label.given} ({percent(label.given_probability, 1)}), "
            f"probably {label.suggested} ({percent(label.probability, 1)})"
        )
        _stdout().print(Text(text), soft_wrap=True)
    if len(found.suspicious) > _NUM_LABELS_NAMED:
        print(f"         and {len(found.suspicious) - _NUM_LABELS_NAMED:,} more")
    if found.not_examined:
        _stdout().print(Text(f"           {found.not_examined_in_words()}"), soft_wrap=True)
    print(f"page       {result.label_page}")
    print(f"edit, then give to --corrections: {result.corrections}")


def _in_one_line(group: Sequence[FoundImage], separator: str) -> str:
    """The first images of a group, one of each split and class among them, and how many more."""
    kinds = {(image.split, image.class_name): image for image in reversed(group)}
    first = list(dict.fromkeys([*kinds.values(), *group]))[:_NUM_OF_GROUP_NAMED]
    first.sort(key=group.index)
    more = f" and {len(group) - len(first):,} more" if len(group) > len(first) else ""
    return separator.join(map(_place, first)) + more


def _place(image: FoundImage) -> str:
    return image.path or f"{image.split}[{image.index}]"


def print_preparation(result: PreparationResult) -> None:
    """Prints the size and form of the prepared images, and the path of the cache."""
    channels, height, width = result.image_shape
    colour = {1: "grey", 3: "colour"}.get(channels, f"{channels} channels")
    counts = " · ".join(f"{name} {count:,}" for name, count in result.num_images.items())
    lines = [
        ("data", f"{result.data}: {counts}"),
        ("", f"{len(result.class_names)} classes; {width}x{height} {colour}"),
        *(("", note) for note in result.notes),
        ("prepared", f"{result.num_bytes / 1e6:.1f} MB in {result.seconds:.1f} s"),
        ("cache", str(result.cache)),
    ]
    for name, text in lines:
        _stdout().print(Text(f"{name:9} {text}"), soft_wrap=True)


def print_catalogue(entries: Iterable[CatalogueEntry]) -> None:
    """Prints a row per data set."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("name", "classes", "download", "description", "licence"):
        table.add_column(column, no_wrap=column in ("name", "classes", "download"))
    for entry in entries:
        size = "bundled" if entry.bundled else f"{entry.download_bytes / 1e6:.0f} MB"
        table.add_row(entry.name, str(len(entry.class_names)), size, entry.title, entry.licence)
    _stdout().print(table)


def print_recipes(recipes: Iterable[Recipe]) -> None:
    """Prints a row per recipe."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("name", no_wrap=True)
    table.add_column("description")
    for recipe in recipes:
        table.add_row(recipe.name, recipe.description)
    _stdout().print(table)


def print_network(shown: ShownNetwork) -> None:
    """Prints a row per layer, in the order in which they run, and the network's total cost."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in ("layer", "kind", "settings"):
        table.add_column(column, no_wrap=True)
    for column in ("output shape", "parameters", "multiply-adds"):
        table.add_column(column, justify="right", no_wrap=True)
    for layer in shown.layers:
        shape = " x ".join(map(str, layer.output_shape))
        costs = (f"{n:,}" if n else "-" for n in (layer.num_parameters, layer.multiply_adds))
        table.add_row(Text(layer.name), layer.kind, layer.detail, shape, *costs)
    totals = (f"{shown.num_parameters:,}", f"{shown.multiply_adds:,}")
    table.add_row(Text("total", style="bold"), "", "", "", *totals)
    _stdout(wide=True).print(table)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _stdout(*, wide: bool = False) -> Console:
    """A console on standard output; ``wide`` never cuts or folds a row that is piped on."""
    console = Console(highlight=False)
    if wide and not console.is_terminal:
        console.width = 10_000
    return console


def _stderr() -> Console:
    return Console(stderr=True, highlight=False)
