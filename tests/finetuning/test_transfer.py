"""What is loaded is the source's bit for bit; what is adapted gives what it gave before."""

import pytest
import torch
from torch import nn

from tellapart.errors import ConfigError
from tellapart.finetuning.transfer import (
    ImageNetwork,
    fit_channels,
    fit_normalization,
    fit_positions,
    transfer_weights,
)
from tellapart.models.blocks import named
from tellapart.models.registry import seeded_network
from tellapart.models.spec import Normalization

GREY, COLOUR, LARGE = (1, 16, 16), (3, 16, 16), (1, 24, 20)


def transferred(name, source_shape, shape, *, num_classes=3, keep_output=False):
    source = seeded_network(name, source_shape, 4 if not keep_output else num_classes, {}, 1)
    target = seeded_network(name, shape, num_classes, {}, 2)
    entries = transfer_weights(
        ImageNetwork(source, source_shape), ImageNetwork(target, shape), keep_output=keep_output
    )
    return source.eval(), target.eval(), {entry.name: entry for entry in entries}


def without_output(network):
    return network[:-1]


@pytest.mark.parametrize("name", ["small-residual", "lenet", "dropout"])
def test_all_but_the_output_layer_is_loaded(name):
    source, target, entries = transferred(name, GREY, GREY)
    fresh = seeded_network(name, GREY, 3, {}, 2).state_dict()
    for tensor_name, tensor in target.state_dict().items():
        is_head = tensor_name.startswith("output.")
        wanted = fresh if is_head else source.state_dict()
        assert torch.equal(tensor, wanted[tensor_name])
        assert entries[tensor_name].outcome == ("new" if is_head else "loaded")
        assert entries[tensor_name].shape == tuple(tensor.shape)
    assert list(entries) == list(target.state_dict())
    assert entries["output.weight"].source_shape[0] == 4
    assert entries["output.weight"].how == "for the new classes"


def test_the_output_layer_is_kept_on_request():
    source, target, entries = transferred("lenet", GREY, GREY, keep_output=True)
    assert {entry.outcome for entry in entries.values()} == {"loaded"}
    assert torch.equal(source.output.weight, target.output.weight)


@pytest.mark.parametrize(("source_shape", "shape"), [(GREY, COLOUR), (COLOUR, GREY)])
@pytest.mark.parametrize("name", ["small-residual", "lenet"])
def test_a_grey_image_gives_the_same_features_in_colour(name, source_shape, shape):
    source, target, entries = transferred(name, source_shape, shape)
    grey = torch.randn(5, *GREY)
    before = without_output(source)(grey.expand(-1, source_shape[0], -1, -1))
    after = without_output(target)(grey.expand(-1, shape[0], -1, -1))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    adapted = [entry for entry in entries.values() if entry.outcome == "adapted"]
    assert len(adapted) == 1
    ends = ("1 channel", "3 channels")
    assert adapted[0].how == " to ".join(ends if shape == COLOUR else reversed(ends))


def test_channels_are_summed_or_repeated():
    colour = torch.arange(24.0).view(2, 3, 2, 2)
    assert torch.equal(fit_channels(colour, 1), colour.sum(1, keepdim=True))
    grey = colour[:, :1]
    assert torch.equal(fit_channels(grey, 3), torch.cat([grey / 3] * 3, dim=1))


def test_another_size_needs_nothing_where_positions_are_averaged():
    *_, entries = transferred("small-residual", GREY, LARGE)
    assert {e.outcome for e in entries.values() if e.name[:6] != "output"} == {"loaded"}


def test_the_matrix_behind_a_flatten_follows_the_size():
    source, target, entries = transferred("lenet", GREY, LARGE)
    entry = entries["hidden1.weight"]
    assert (entry.outcome, entry.how) == ("adapted", "2x2 positions to 4x3")
    assert (entry.source_shape, entry.shape) == ((120, 64), (120, 192))
    features = torch.randn(5, 16, 1, 1)
    before = source.hidden1(features.expand(-1, -1, 2, 2).flatten(1))
    after = target.hidden1(features.expand(-1, -1, 4, 3).flatten(1))
    torch.testing.assert_close(after, before, rtol=1e-4, atol=1e-5)
    assert entries["hidden2.weight"].outcome == "loaded"


def test_maps_of_the_same_size_stay_as_they_are():
    weight = torch.randn(4, 2 * 3 * 5)
    torch.testing.assert_close(fit_positions(weight, (2, 3, 5), (2, 3, 5)), weight)


def test_what_fits_nowhere_is_new_and_listed_as_new():
    source = seeded_network("two-conv", GREY, 3, {}, 1)
    target = seeded_network("dropout", GREY, 3, {}, 2)
    target.hidden = torch.nn.Linear(8, 128)
    entries = transfer_weights(ImageNetwork(source, GREY), ImageNetwork(target, GREY))
    outcomes = {entry.name: (entry.outcome, entry.how) for entry in entries}
    assert outcomes["conv1.weight"] == ("loaded", "")
    assert outcomes["hidden.weight"] == ("new", "another shape in the source")


def test_a_source_of_which_nothing_fits_is_refused():
    source = seeded_network("lenet", GREY, 3, {}, 1)
    target = seeded_network("small-residual", GREY, 3, {}, 2)
    with pytest.raises(ConfigError, match="nothing of the source fits this network"):
        transfer_weights(ImageNetwork(source, GREY), ImageNetwork(target, GREY))


def test_normalization_follows_the_channels():
    grey, colour = Normalization((0.1,), (0.3,)), Normalization((0.2, 0.4, 0.6), (0.1, 0.2, 0.3))
    assert fit_normalization(grey, 3) is grey
    assert fit_normalization(colour, 3) is colour
    fitted = fit_normalization(colour, 1)
    assert (fitted.mean, fitted.std) == (pytest.approx((0.4,)), pytest.approx((0.2,)))


def test_of_a_network_without_an_output_its_last_linear_layer_begins_anew():
    def own(num_classes):
        return named(
            conv=nn.Conv2d(1, 2, 3),
            mean=nn.AdaptiveAvgPool2d(1),
            classifier=nn.Sequential(nn.Flatten(), nn.Linear(2, 4), nn.Linear(4, num_classes)),
        )

    for classes in (3, 5):  # of the same number too: they are other classes
        entries = transfer_weights(
            ImageNetwork(own(3), (1, 8, 8)), ImageNetwork(own(classes), (1, 8, 8))
        )
        new = [entry.name for entry in entries if entry.outcome == "new"]
        assert new == ["classifier.2.weight", "classifier.2.bias"]
