"""Methods of which the verdict is known: an edge detector and chance must fail."""

import json
from html import escape
from xml.etree import ElementTree

import pytest
import torch

from tellapart.errors import ConfigError
from tellapart.explanation import check as checking
from tellapart.explanation.check import check_methods, images_to_check
from tellapart.explanation.check_page import render_check
from tellapart.explanation.edges import edge_maps
from tellapart.explanation.methods import METHODS, HeatMaps, Method
from tellapart.explanation.verdicts import CHANCE, EDGES, FOLLOWS, UNLEARNED, WEIGHTS
from tellapart.runs.trained_run import open_run


def plain_method(name, compute):
    return Method(name, name, "for a test", compute)


def detect_edges(_network, inputs, _targets):
    return HeatMaps(edge_maps(inputs)[:, None])


def draw(_network, inputs, _targets):
    shape = (len(inputs), 1, *inputs.shape[2:])
    return HeatMaps(torch.rand(shape, generator=torch.Generator().manual_seed(len(inputs))))


def refuse(_network, _inputs, _targets):
    raise ConfigError("this network has no positions")


@pytest.fixture(scope="module")
def digits_run(trained):
    return open_run(trained.run)


@pytest.fixture(scope="module")
def checked(digits_run):
    """The check of a real method, of two that must fail, and of one that is not possible."""
    methods = [
        METHODS["integrated-gradients"],
        plain_method("edges", detect_edges),
        plain_method("noise", draw),
        plain_method("impossible", refuse),
    ]
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(checking, "_COARSE_STEPS", 8)
        patch.setattr(checking, "NUM_IMAGES", 80)
        patch.setattr(checking, "_NUM_RANDOMIZED", 20)
        found = check_methods(
            digits_run.classifier,
            digits_run.splits["test"].images,
            methods,
            lambda done, total: seen.append((done, total)),
        )
    done = [done for done, _ in seen]
    assert done == sorted(set(done))
    assert {total for _, total in seen} == {done[-1]}
    return found


def test_an_edge_detector_fails_although_it_marks_the_strokes(checked):
    edges = checked.methods[1]
    assert edges.against["random"].score.is_above_zero
    assert edges.failed == (WEIGHTS, UNLEARNED, EDGES)
    assert edges.verdict == WEIGHTS
    assert edges.complexity_rise.mean == edges.complexity_rise.high == 0
    assert all(stage.similarity.low == 1 for stage in edges.stages)


def test_noise_fails(checked):
    noise = checked.methods[2]
    assert noise.verdict == CHANCE
    assert noise.failed == (CHANCE, UNLEARNED, EDGES)


def test_integrated_gradients_follow_a_trained_network(checked):
    gradients = checked.methods[0]
    assert gradients.verdict == FOLLOWS
    assert gradients.stages[-1].similarity.high < 0.5
    assert checked.following == (gradients,)


def test_a_method_that_the_network_does_not_allow_is_named_with_its_reason(checked):
    [entry] = checked.not_checked
    assert (entry.method.name, entry.reason) == ("impossible", "this network has no positions")


def test_the_figures_are_plain_json(checked):
    content = json.loads(json.dumps(checked.to_json(), allow_nan=False))
    assert content["num_images"] == 80
    assert [entry["verdict"] for entry in content["methods"]] == [FOLLOWS, WEIGHTS, CHANCE, None]
    assert len(content["fractions"]) == len(content["methods"][0]["insertion_curve"]) == 21


def test_the_page_holds_every_verdict_and_no_script(checked):
    page = render_check(checked, title="digits", origin={"run": "runs/a"})
    ElementTree.fromstring(page.partition("\n")[2])  # well-formed, so every text is escaped
    assert "<script" not in page
    assert "http" not in page.replace("http://www.w3.org/2000/svg", "").replace("http-equiv", "")
    for verdict in (FOLLOWS, CHANCE, WEIGHTS, UNLEARNED, EDGES):
        assert escape(verdict) in page.lower()
    assert page == render_check(checked, title="digits", origin={"run": "runs/a"})


def test_a_page_without_any_possible_method_says_so(digits_run):
    images = digits_run.splits["test"].images[:20]
    found = check_methods(digits_run.classifier, images, [plain_method("impossible", refuse)])
    assert found.methods == ()
    page = render_check(found, title="digits", origin={})
    assert "This network has no positions" in page
    assert f"all {len(images)} test images" in page


def test_the_same_images_give_the_same_bits_and_the_classifier_stays_as_it_is(digits_run):
    classifier, images = digits_run.classifier, digits_run.splits["test"].images[:24]
    before = {name: tensor.clone() for name, tensor in classifier.state_dict().items()}
    methods = [METHODS["grad-cam"]]
    first = check_methods(classifier, images, methods).to_json()
    assert check_methods(classifier, images, methods).to_json() == first
    assert all(
        torch.equal(tensor, before[name]) for name, tensor in classifier.state_dict().items()
    )


def test_too_few_images_are_refused(digits_run):
    with pytest.raises(ConfigError, match=r"20.*19.*test_fraction"):
        check_methods(digits_run.classifier, digits_run.splits["test"].images[:19], [])


def test_images_are_drawn_from_the_whole_split_each_once():
    indices = images_to_check(5000)
    assert len(indices) == len(indices.unique()) == 200
    assert indices[0] < 500
    assert indices[-1] > 4500
    assert images_to_check(30).tolist() == list(range(30))
