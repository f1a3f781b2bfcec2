"""Weights files and folders: what is refused, and what the message names."""

import json
import sys

import pytest
import safetensors.torch
import torch

from tellapart.errors import ClassifierFileError
from tellapart.finetuning.pretrained import load_pretrained
from tellapart.finetuning.timm_weights import load_weights, read_tensors

SETTINGS = {"input_size": [1, 20, 10], "mean": [0.25], "std": [0.75]}
CONFIG = {"architecture": "tiny", "num_classes": 3, "pretrained_cfg": SETTINGS}


@pytest.fixture
def folder(timm, tmp_path):
    """As the hub distributes it: for grey images, with a head for three classes."""
    path = tmp_path / "tiny-folder"
    path.mkdir()
    weights = timm.Network(in_chans=1, num_classes=3).state_dict()
    safetensors.torch.save_file(weights, path / "model.safetensors")
    write(path, CONFIG)
    return path


def write(folder, config):
    text = config if isinstance(config, str) else json.dumps(config)
    (folder / "config.json").write_text(text, "utf-8")


def refusal(path, name="tiny.v1"):
    with pytest.raises(ClassifierFileError) as raised:
        load_pretrained(name, path)
    assert str(raised.value).count("\n") <= 1
    return str(raised.value)


@pytest.mark.parametrize("config", [CONFIG, {"architecture": "tiny", **SETTINGS}])
def test_a_folder_gives_the_form_of_its_images(folder, config):
    write(folder, config)
    classifier = load_pretrained("tiny.v1", folder)
    assert classifier.image_shape == (1, 20, 10)
    assert classifier.spec.normalization.mean == (0.25,)
    assert classifier.spec.normalization.std == (0.75,)
    weights = safetensors.torch.load_file(folder / "model.safetensors")
    assert torch.equal(classifier.network.backbone.stem.weight, weights["stem.weight"])


@pytest.mark.parametrize("missing", [["mean", "std"], ["input_size"], ["std"]])
def test_a_folder_without_the_form_of_its_images(folder, missing):
    settings = {key: value for key, value in SETTINGS.items() if key not in missing}
    write(folder, {"architecture": "tiny", "pretrained_cfg": settings})
    message = refusal(folder)
    assert "config.json" in message
    assert " and no ".join(missing) in message.partition(";")[0]


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("{", ["config.json", "JSON"]),
        ("[1]", ["config.json", "object", "list"]),
        ({"model_type": "dinov2", "image_size": 518}, ["architecture", "pretrained_cfg"]),
        ({**CONFIG, "architecture": "huge"}, ["'huge'", "'tiny'", "timm:huge"]),
        ({**CONFIG, "model_args": {"num_classes": 3, "act_layer": "silu"}}, ["act_layer"]),
        ({**CONFIG, "pretrained_cfg": {**SETTINGS, "input_size": 20}}, ["input_size", "20"]),
        ({**CONFIG, "pretrained_cfg": {**SETTINGS, "input_size": [1, 0, 9]}}, ["[1, 0, 9]"]),
        ({**CONFIG, "pretrained_cfg": {**SETTINGS, "std": [0]}}, ["std", "0"]),
        ({**CONFIG, "pretrained_cfg": {**SETTINGS, "mean": "dark"}}, ["mean and std"]),
        (
            {**CONFIG, "pretrained_cfg": {**SETTINGS, "mean": [0.5] * 2, "std": [0.5] * 2}},
            ["per channel", "1", "2"],
        ),
    ],
)
def test_a_folder_with_a_faulty_config(folder, config, words):
    write(folder, config)
    message = refusal(folder)
    assert all(word in message for word in words)


def test_a_folder_without_its_files(folder):
    (folder / "model.safetensors").unlink()
    assert "model.safetensors and no pytorch_model.bin" in refusal(folder)
    (folder / "config.json").unlink()
    assert "config.json" in refusal(folder)


def test_the_last_layer_may_be_missing_or_for_other_classes(timm, tmp_path):
    path = tmp_path / "weights.safetensors"
    for num_classes in (0, 3):
        weights = timm.Network(num_classes=num_classes).state_dict()
        safetensors.torch.save_file(weights, path)
        backbone = load_pretrained("tiny.v1", path).network.backbone
        assert torch.equal(backbone.stem.weight, weights["stem.weight"])


def test_a_head_that_the_network_itself_has_not_is_dropped(timm):
    """As of weights that were trained without classes and tuned for some afterwards."""
    backbone = timm.Network(num_classes=0)
    tensors = timm.Network(num_classes=3).state_dict()
    load_weights(backbone, "tiny", tensors, "weights.pth")
    assert torch.equal(backbone.stem.weight, tensors["stem.weight"])


def test_weights_of_another_network_name_the_first_tensors_of_each_kind(timm, tmp_path):
    path = tmp_path / "other.pth"
    ours = timm.Network().state_dict()
    other = {f"block{number}.weight": torch.zeros(2) for number in range(5)}
    other["stem.weight"] = ours["stem.weight"][:, :1]
    torch.save(other, path)
    message = refusal(path)
    assert str(path) in message
    assert "'tiny.v1'" in message
    assert "missing: stem.bias, stages.0.weight, stages.0.bias and 2 more" in message
    assert "unknown: block0.weight, block1.weight, block2.weight and 2 more" in message
    assert "another shape: stem.weight (6, 1, 3, 3) instead of (6, 3, 3, 3)" in message
    assert "timm/tiny.v1" in message


def test_a_count_of_batches_may_be_missing():
    class Normed(torch.nn.Module):
        pretrained_cfg = {"classifier": "head"}  # noqa: RUF012

        def __init__(self):
            super().__init__()
            self.norm = torch.nn.BatchNorm2d(2)

        def reset_classifier(self, num_classes):
            pass

    tensors = {k: v + 1 for k, v in Normed().state_dict().items() if "num_batches" not in k}
    backbone = Normed()
    load_weights(backbone, "normed", tensors, "old.pth")
    assert torch.equal(backbone.norm.running_mean, tensors["norm.running_mean"])


class Unsafe:
    def __reduce__(self):
        return (sys.exit, (3,))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Unsafe(), ["never run", "state_dict()"]),
        ({"model": {}, "epoch": 3}, ["model, epoch", "state_dict()"]),
        ([torch.zeros(1)], ["list", "state_dict()"]),
    ],
)
def test_a_file_with_more_than_tensors(tmp_path, content, words):
    path = tmp_path / "checkpoint.pth"
    torch.save(content, path)
    with pytest.raises(ClassifierFileError) as raised:
        read_tensors(path)
    assert all(word in str(raised.value) for word in [*words, str(path)])


@pytest.mark.parametrize(
    ("name", "content"),
    [("a.pth", b"\x07" * 99), ("a.safetensors", b"\x07" * 99), ("a.npz", b""), ("a.pt", None)],
)
def test_a_file_that_is_damaged_of_another_kind_or_not_there(tmp_path, name, content):
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ClassifierFileError) as raised:
        read_tensors(path)
    assert str(path) in str(raised.value)
    if name in ("a.npz", "a.pt"):
        assert "--weights takes a .safetensors" in str(raised.value)
