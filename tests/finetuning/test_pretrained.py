"""timm's networks as a source: with a stand-in for timm, and with the real one where it is."""

import json

import pytest
import safetensors.torch
import torch

from tellapart.errors import ConfigError
from tellapart.finetuning.pretrained import load_pretrained
from tellapart.finetuning.stages import feature_stages
from tellapart.models.checkpoint import load_classifier, save_classifier, weights_sha256
from tellapart.models.registry import build_network


def digest(classifier):
    return weights_sha256(classifier.network.state_dict())


def test_a_network_of_timm_becomes_a_source(timm):
    classifier = load_pretrained("tiny.v1")
    assert classifier.spec.network == "timm:tiny.v1"
    assert classifier.image_shape == (3, 12, 12)
    assert classifier.spec.normalization.mean == (0.5, 0.4, 0.3)
    assert classifier.spec.normalization.std == (0.1, 0.2, 0.3)
    assert torch.equal(
        classifier.network.backbone.stem.weight, timm.create_model("tiny.v1", True).stem.weight
    )
    assert [stage.name for stage in feature_stages(classifier.network)] == [
        "backbone.stem",
        "backbone.stages.0",
        "backbone.stages.1",
    ]


def test_the_same_weights_have_one_hash_and_the_global_generator_stays_as_it_was(timm):
    digests = set()
    for seed in (1, 2):
        torch.manual_seed(seed)
        before = torch.get_rng_state()
        digests.add(digest(load_pretrained("tiny.v1")))
        assert torch.equal(torch.get_rng_state(), before)
    assert len(digests) == 1


@pytest.mark.parametrize("place", ["weights.safetensors", "weights.pth", "folder"])
def test_weights_from_a_place_of_ones_own_have_the_hash_of_the_published(timm, tmp_path, place):
    published = timm.create_model("tiny.v1", True).state_dict()
    path = tmp_path / place
    if place == "folder":
        path.mkdir()
        settings = {key: timm.Network.pretrained_cfg[key] for key in ("input_size", "mean", "std")}
        config = {"architecture": "tiny", "pretrained_cfg": settings}
        (path / "config.json").write_text(json.dumps(config), "utf-8")
        torch.save(published, path / "pytorch_model.bin")
    elif path.suffix == ".pth":
        torch.save(published, path)
    else:
        safetensors.torch.save_file(published, path)
    timm.hub.cached = None  # what is given is not looked for elsewhere
    given = load_pretrained("tiny.v1", path)
    timm.hub.cached = "model.safetensors"
    assert digest(given) == digest(load_pretrained("tiny.v1"))


def test_it_is_built_for_the_data_by_its_name(timm):
    network = build_network("timm:tiny.v1", (1, 16, 9), 5, {})
    assert network(torch.zeros(2, 1, 16, 9)).shape == (2, 5)


def test_it_takes_no_arguments(timm):
    with pytest.raises(ConfigError, match=r"'timm:tiny\.v1' takes no arguments, got width"):
        build_network("timm:tiny.v1", (1, 16, 9), 5, {"width": 3})


def test_its_classifier_file_is_loaded_like_any_other(timm, tmp_path):
    classifier = load_pretrained("tiny.v1").eval()
    save_classifier(tmp_path / "model.safetensors", classifier, {})
    loaded = load_classifier(tmp_path / "model.safetensors")
    images = torch.randint(0, 256, (2, 3, 12, 12), dtype=torch.uint8)
    torch.testing.assert_close(loaded(images), classifier(images))


@pytest.mark.filterwarnings("ignore")
def test_the_real_timm(tmp_path):
    """A file and a folder that timm itself writes, where timm is installed and works."""
    try:
        import timm
        from timm.models import save_for_hf
    except Exception as error:
        pytest.skip(f"timm cannot be imported: {error}")
    backbone = timm.create_model("test_convnext.r160_in1k", pretrained=False)
    save_for_hf(backbone, tmp_path, safe_serialization=True)
    classifier = load_pretrained("test_convnext.r160_in1k", tmp_path)
    assert classifier.image_shape == (3, 160, 160)
    assert digest(classifier) == digest(
        load_pretrained("test_convnext", tmp_path / "model.safetensors")
    )
    images = torch.rand(2, 3, 160, 160)
    backbone.eval().reset_classifier(0)
    torch.testing.assert_close(classifier.network.eval().backbone(images), backbone(images))
    network = build_network("timm:test_convnext.r160_in1k", (1, 64, 64), 5, {})
    assert network(torch.zeros(2, 1, 64, 64)).shape == (2, 5)
