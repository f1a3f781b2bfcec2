"""Networks of timm by name: what is said where timm is missing or does not work."""

import sys

import pytest
import torch

from tellapart.errors import ClassifierFileError, ConfigError
from tellapart.finetuning.pretrained import load_pretrained
from tellapart.models.checkpoint import load_classifier, save_classifier
from tellapart.models.timm_networks import build_timm, import_timm

INSTALL = 'pip install "tellapart[timm]"'
FAILURES = {
    "timm is missing": ("raise ModuleNotFoundError('gone', name='timm')", [INSTALL], []),
    "a dependency is missing": (
        "raise ModuleNotFoundError('gone', name='yaml')",
        ["'yaml'", INSTALL],
        ["does not fit"],
    ),
    "torchvision is missing": (
        "raise ModuleNotFoundError('gone', name='torchvision')",
        [f"torch {torch.__version__}"],
        [INSTALL],
    ),
    "torchvision does not fit, by its message": (
        "raise RuntimeError('operator torchvision::nms does not exist')",
        ["does not fit", f"torch {torch.__version__}", "torchvision::nms", "one release"],
        [INSTALL],
    ),
    "torchvision does not fit, by its place": (
        "import torchvision",
        ["does not fit", "undefined symbol"],
        [INSTALL],
    ),
    "anything else": ("raise ValueError('a bad day')", ["ValueError: a bad day"], [INSTALL]),
}


@pytest.fixture(params=FAILURES, ids=str)
def failure(request, monkeypatch, tmp_path):
    """A timm that cannot be imported; the words that a message must have and those it must not."""
    code, words, wrong = FAILURES[request.param]
    (tmp_path / "timm.py").write_text(code, "utf-8")
    (tmp_path / "torchvision.py").write_text("raise OSError('undefined symbol: x')", "utf-8")
    monkeypatch.delitem(sys.modules, "timm", raising=False)
    monkeypatch.delitem(sys.modules, "torchvision", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    return words, wrong


def test_a_source_that_needs_timm_has_another_way_out(failure):
    words, wrong = failure
    with pytest.raises(ConfigError) as raised:
        load_pretrained("tiny.v1")
    message = str(raised.value)
    assert "\n" not in message
    assert "timm:tiny.v1" in message
    assert "finetune imagenet" in message
    assert 'pip install "tellapart[pretrained]"' in message
    assert all(word in message for word in words)
    assert not any(word in message for word in wrong)


@pytest.fixture
def classifier_file(timm, tmp_path, monkeypatch):
    save_classifier(tmp_path / "model.safetensors", load_pretrained("tiny.v1"), {})
    monkeypatch.delitem(sys.modules, "timm")
    return tmp_path / "model.safetensors"


def test_a_classifier_file_that_needs_timm(classifier_file, failure):
    """Another source is no help to someone who wants to predict."""
    words, wrong = failure
    with pytest.raises(ClassifierFileError) as raised:
        load_classifier(classifier_file)
    message = str(raised.value)
    assert str(classifier_file) in message
    assert "timm:tiny.v1" in message
    assert "finetune" not in message
    assert all(word in message for word in words)
    assert not any(word in message for word in wrong)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("tin", ["'tin'", "did you mean tiny"]),
        ("tinny.v1", ["'tinny.v1'", "did you mean 'tiny'"]),
        ("resnet", ["'resnet'", "timm.list_models()"]),
        ("tiny.v2", ["'v2'", "'tiny'", "tiny.v1"]),
    ],
)
def test_an_unknown_name(timm, name, words):
    with pytest.raises(ConfigError) as raised:
        import_timm(name)
    assert all(word in str(raised.value) for word in words)


def test_images_it_cannot_take(timm):
    message = r"timm's 'tiny.v1' cannot take images .*\(1, 4, 4\).*data\.size=12\b"
    with pytest.raises(ConfigError, match=message):
        build_timm("tiny.v1", (1, 4, 4), 3)
