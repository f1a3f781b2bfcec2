"""The sources that people are told of: each can be typed, and its figures are its network's."""

from __future__ import annotations

import pytest

from tellapart.finetuning import imagenet
from tellapart.finetuning.sources import SOURCES
from tellapart.models.cost import count_multiply_adds
from tellapart.models.registry import build_network
from tellapart.models.timm_networks import PREFIX

OF_TIMM = [facts for facts in SOURCES if facts.source.startswith(PREFIX)]


def test_the_sources_are_a_run_imagenet_and_networks_of_timm():
    own, packaged, *others = SOURCES
    assert (own.source, packaged.source) == ("RUN", imagenet.NAME)
    assert others == OF_TIMM
    assert len({facts.source for facts in SOURCES}) == len(SOURCES)


def test_what_a_source_needs_and_under_which_licence_is_complete():
    own, packaged, *_ = SOURCES
    assert (own.extra, own.needs_network, own.megabytes) == (None, False, None)
    assert (packaged.extra, packaged.needs_network) == ("pretrained", False)
    assert all((facts.extra, facts.needs_network) == ("timm", True) for facts in OF_TIMM)
    for facts in (packaged, *OF_TIMM):
        assert facts.licence
        assert facts.is_of_imagenet == (facts.trained_on == "ImageNet-1k")


def test_parameters_and_cost_of_imagenet_are_those_of_its_network():
    _, facts, *_ = SOURCES
    shape = (3, facts.side, facts.side)
    network = build_network("efficientnet-lite0", shape, 1000, {})
    assert facts.num_parameters == sum(weight.numel() for weight in network.parameters())
    assert facts.multiply_adds == sum(count_multiply_adds(network, shape).values())


@pytest.mark.parametrize("facts", OF_TIMM, ids=lambda facts: facts.source)
def test_a_download_is_four_bytes_for_each_weight(facts):
    assert facts.megabytes == pytest.approx(4e-6 * facts.num_parameters, abs=0.6)


@pytest.mark.parametrize("facts", OF_TIMM, ids=lambda facts: facts.source)
def test_what_is_told_of_a_network_of_timm_is_what_timm_has(facts):
    timm = pytest.importorskip("timm", exc_type=ImportError)
    name = facts.source.removeprefix(PREFIX)
    published = timm.get_pretrained_cfg(name)
    assert published.input_size == (3, facts.side, facts.side)
    assert published.license == facts.licence.lower()
    network = timm.create_model(name, pretrained=False)
    assert facts.num_parameters == sum(weight.numel() for weight in network.parameters())
