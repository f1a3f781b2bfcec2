"""The package offers exactly the names of its index, and each of them exists."""

import importlib
import inspect
import re

import pytest
import torch

import tellapart
from tellapart import errors
from tellapart.config import all_keys
from tellapart.evaluation import Evaluation

# What others build on. A name that is added here is a promise; one that is taken away breaks them.
PUBLIC_NAMES = [
    "Callbacks",
    "CheckResult",
    "Classifier",
    "ClassifierSpec",
    "DataSet",
    "Evaluation",
    "EvaluationResult",
    "ExplanationResult",
    "FittedImage",
    "ImageSet",
    "Normalization",
    "Prediction",
    "PreparationResult",
    "Recipe",
    "Session",
    "TellapartError",
    "TrainedRun",
    "TrainingResult",
    "check",
    "compare",
    "evaluate",
    "explain",
    "finetune",
    "load_classifier",
    "load_data_set",
    "load_recipe",
    "open_run",
    "predict",
    "prepare",
    "read_image",
    "reproduce",
    "save_classifier",
    "show_activation",
    "show_convolution",
    "show_network",
    "show_pooling",
    "train",
]
RECIPE_KEYS = [
    "data.group_by",
    "data.size",
    "data.split_seed",
    "model.network",
    "training.batch_size",
    "training.class_costs",
    "training.class_weights",
    "training.epochs",
    "training.gradient_clip_norm",
    "training.label_smoothing",
    "training.loss",
    "training.patience",
    "training.precision",
    "training.sampling",
    "training.seed",
    "training.stop_on",
]
TRAIN_KEYS = [
    "run",
    "seed",
    "num_parameters",
    "train_seconds",
    "test_accuracy",
    "test_accuracy_interval",
    "balanced_accuracy",
    "majority_baseline",
    "weights_sha256",
]
EVALUATE_KEYS = [
    "accuracy",
    "accuracy_interval",
    "balanced_accuracy",
    "balanced_accuracy_interval",
    "majority_class",
    "majority_baseline",
    "macro_f1",
    "macro_auc",
    "expected_calibration_error",
    "confusion_matrix",
    "per_class",
    "thresholds",
]


def test_the_public_names_are_these():
    assert list(tellapart.__all__) == sorted(PUBLIC_NAMES)


def test_the_recipe_has_the_keys_that_others_set():
    assert set(RECIPE_KEYS) <= set(all_keys())


def test_a_run_offers_what_others_read_of_it(trained):
    run = tellapart.open_run(trained.run)
    assert isinstance(run.recipe, tellapart.Recipe)
    assert isinstance(run.classifier, tellapart.Classifier)
    assert run.classifier.class_names == tuple("0123456789")
    assert run.report.name == "report.html"
    known = {"train", "validation", "calibration", "test"}
    assert {"train", "test"} <= run.splits.keys() <= known
    for part in run.splits.values():
        assert part.images.dtype == torch.uint8
        assert part.labels.shape == part.images.shape[:1]


def test_the_json_of_each_command_has_the_keys_that_others_read(trained):
    assert set(TRAIN_KEYS) <= trained.to_json().keys()
    figures = trained.test
    assert isinstance(figures, Evaluation)
    result = tellapart.EvaluationResult((trained.run,), "", "test", (1,), figures, None, None)
    assert {"run", *EVALUATE_KEYS} <= result.to_json().keys()
    assert {"path", "label", "probability"} <= tellapart.Prediction("a.png").to_json().keys()
    checked = tellapart.check("mnist-sample").to_json()
    assert {"findings", "class_counts", "has_leaks"} <= checked.keys()


@pytest.mark.parametrize("name", [name for name in PUBLIC_NAMES if name.islower()])
def test_a_public_function_documents_arguments_results_and_errors(name):
    function = getattr(tellapart, name)
    documented = inspect.getdoc(function) or ""
    assert "Args:" in documented or name == "compare"
    assert "Raises:" in documented
    assert "Returns:" in documented or inspect.signature(function).return_annotation in (
        "None",
        "Path",
    )
    assert ">>> " in documented


def test_the_index_is_sorted_and_shown():
    assert list(tellapart.__all__) == sorted(set(tellapart.__all__))
    assert set(dir(tellapart)) >= set(tellapart.__all__)


@pytest.mark.parametrize("name", tellapart.__all__)
def test_every_public_name_is_documented_and_defined_where_the_index_lists_it(name):
    found = getattr(tellapart, name)
    assert found.__module__ == tellapart._MODULE_OF[name]
    assert found.__name__ == name
    assert inspect.getdoc(found)


def test_a_star_import_gives_exactly_the_index():
    names = {}
    exec("from tellapart import *", names)
    assert names.keys() - {"__builtins__"} == set(tellapart.__all__)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'tellapart' has no attribute 'trian'"):
        tellapart.trian  # noqa: B018


def test_the_version_is_plain():
    assert re.fullmatch(r"\d+\.\d+\.\d+", tellapart.__version__)


def error_classes():
    return {
        name: thing
        for name, thing in vars(errors).items()
        if inspect.isclass(thing) and issubclass(thing, Exception)
    }


def test_the_tree_of_errors_is_drawn_as_it_is():
    drawn = re.findall(r"^ {4}(?:[├└]── )?(\w+)  ", errors.__doc__, re.MULTILINE)
    assert drawn[0] == "TellapartError"
    assert sorted(drawn) == sorted(error_classes())
    for name, error in error_classes().items():
        assert error.__doc__, name
        assert name == "TellapartError" or errors.TellapartError in error.__bases__


def test_a_shape_error_is_a_value_error_as_drawn():
    also = [n for n, e in error_classes().items() if issubclass(e, ValueError)]
    assert also == ["ShapeError"]
    assert "(also a ValueError)" in errors.__doc__


def test_every_module_imports():
    import pkgutil

    walked = [
        module.name
        for module in pkgutil.walk_packages(tellapart.__path__, "tellapart.")
        if module.name != "tellapart.__main__"
    ]
    assert len(walked) > 30
    for name in walked:
        importlib.import_module(name)
