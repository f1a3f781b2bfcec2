"""What is saved comes back bit for bit, and no bytes whatever do harm on loading."""

import errno
import json
import os
import resource
import struct

import pytest
import safetensors.torch
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tellapart.data.images.drawing import DrawingStyle
from tellapart.errors import ClassifierFileError, RunError
from tellapart.models.checkpoint import (
    load_classifier,
    load_tensors,
    read_classifier,
    save_classifier,
    save_tensors,
    weights_sha256,
)
from tellapart.models.classifier import Classifier
from tellapart.models.registry import NETWORKS, build_network, seeded_network
from tellapart.models.spec import ClassifierSpec, Normalization
from tellapart.runtime import Runtime, place

FP32 = Runtime(torch.device("cpu"), "fp32")
SHAPE = (3, 28, 28)
SPEC = {
    "network": "small-residual",
    "arguments": {"width": 2},
    "class_names": ["ant", "数"],
    "image_shape": [1, 8, 8],
    "normalization": {"mean": [0.5], "std": [0.25]},
}
HEADER = {"format": 2, "classifier": SPEC, "training": {"data": "none"}}
SMALL = build_network("small-residual", (1, 8, 8), 2, {"width": 2})
TENSORS = {name: tensor.contiguous() for name, tensor in SMALL.state_dict().items()}


def make(network="small-residual", arguments=None, names=("ant", "bee", "数"), shape=SHAPE):
    made = seeded_network(network, shape, len(names), arguments or {}, 0)
    return Classifier(
        made,
        ClassifierSpec(
            network=network,
            arguments=arguments or {},
            class_names=names,
            image_shape=shape,
            normalization=Normalization((0.1, 0.2, 0.3), (1.0, 2.0, 1 / 3)),
        ),
    ).eval()


def pictures(count=5, shape=SHAPE):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(0, 256, (count, *shape), generator=generator, dtype=torch.uint8)


STYLE = {
    "background": "dark",
    "smallest": 0.6,
    "typical": 0.7,
    "largest": 0.8,
    "row": 0.5,
    "column": 0.5,
    "off_centre": 0.05,
}


def file_bytes(header=HEADER, tensors=TENSORS):
    text = header if isinstance(header, str) else json.dumps(header)
    return safetensors.torch.save(tensors, metadata={"tellapart": text})


def refusal(path, content=None):
    """The message with which a file is refused; any other exception fails the test."""
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ClassifierFileError) as caught:
        load_classifier(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    return message


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


@pytest.mark.parametrize("name", NETWORKS)
def test_a_classifier_comes_back_bit_for_bit(path, shape_for, name):
    shape = shape_for(name, SHAPE)
    classifier, images = make(name, shape=shape), pictures(shape=shape)
    for number, buffer in enumerate(classifier.network.buffers()):  # norms that have seen something
        buffer.add_(number + 1)
    wanted = classifier(images)
    save_classifier(path, classifier, {"data": "mnist"})
    loaded, training = read_classifier(path)
    assert torch.equal(loaded(images), wanted)
    assert weights_sha256(loaded.network.state_dict()) == weights_sha256(
        classifier.network.state_dict()
    )
    assert loaded.spec == classifier.spec
    assert training == {"data": "mnist"}
    assert not any(module.training for module in loaded.modules())
    assert all(weight.requires_grad for weight in loaded.parameters())


def test_a_classifier_laid_out_for_speed_comes_back_too(path):
    classifier = place(make(arguments={"width": 4}), FP32)
    wanted = classifier(pictures())
    save_classifier(path, classifier, {})
    loaded = load_classifier(path)
    assert weights_sha256(loaded.state_dict()) == weights_sha256(classifier.state_dict())
    assert torch.allclose(loaded(pictures()), wanted, atol=1e-5)
    assert torch.equal(place(loaded, FP32)(pictures()), wanted)


def test_loading_draws_no_random_number(path):
    save_classifier(path, make(), {})
    before = torch.get_rng_state()
    load_classifier(path)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_loaded_classifier_can_learn_and_its_file_stays(path):
    save_classifier(path, make(), {})
    before = path.read_bytes()
    loaded = load_classifier(path).train()
    loaded(pictures()).sum().backward()
    with torch.no_grad():
        for weight in loaded.parameters():
            weight -= weight.grad
    assert path.read_bytes() == before
    assert weights_sha256(load_classifier(path).state_dict()) != weights_sha256(loaded.state_dict())


def test_a_loaded_classifier_outlives_its_file(path):
    save_classifier(path, make(), {})
    loaded = load_classifier(path)
    wanted = loaded(pictures())
    save_classifier(path, make("lenet"), {})
    path.unlink()
    assert torch.equal(loaded(pictures()), wanted)


def test_a_file_written_over_in_place_does_not_change_what_was_loaded_from_it(path):
    save_classifier(path, make(), {})
    loaded = load_classifier(path)
    wanted = loaded(pictures())
    size = path.stat().st_size
    with path.open("r+b") as file:  # no rename: the very bytes that were read
        file.write(bytes(size))
    assert torch.equal(loaded(pictures()), wanted)


def test_the_hash_tells_values_names_types_and_shapes_apart_but_not_layouts():
    tensor = torch.arange(16.0).reshape(1, 4, 2, 2)
    other = [
        {"b": tensor},
        {"a": tensor + 1e-6},
        {"a": tensor.double()},
        {"a": tensor.reshape(4, 4)},
        {"a": tensor, "b": tensor},
        {"a": tensor.bfloat16()},
        {},
    ]
    hashes = {weights_sha256(weights) for weights in [{"a": tensor}, *other]}
    assert len(hashes) == 8
    turned = tensor.contiguous(memory_format=torch.channels_last)
    assert weights_sha256({"a": turned}) == weights_sha256({"a": tensor})
    ordered, reverse = {"a": tensor, "b": tensor * 2}, {"b": tensor * 2, "a": tensor}
    assert weights_sha256(ordered) == weights_sha256(reverse)
    assert weights_sha256({"n": torch.tensor(3)}) != weights_sha256({"n": torch.tensor(4)})


def test_tensors_and_header_come_back(path):
    tensors = {"a/b": torch.randn(2, 3).T, "scalar": torch.tensor(7), "empty": torch.zeros(0, 3)}
    save_tensors(path, tensors, {"text": "数", "numbers": [1, 2.5, None]})
    loaded, header = load_tensors(path)
    assert weights_sha256(loaded) == weights_sha256(tensors)
    assert header == {"text": "数", "numbers": [1, 2.5, None]}


def test_a_missing_file_is_reported(path):
    assert refusal(path) == f"{path} does not exist"


def test_a_folder_is_refused(tmp_path):
    assert "is damaged, cut off, or no safetensors file" in refusal(tmp_path)


def test_a_file_cut_off_anywhere_is_refused(path):
    whole = file_bytes()
    (header_length,) = struct.unpack("<Q", whole[:8])
    ends = {*range(12), *range(12, len(whole), 37), 8 + header_length, len(whole) - 1}
    for end in sorted(ends):
        told = refusal(path, whole[:end])
        assert "copy it again or train again" in told


def test_a_file_with_something_after_its_end_is_refused(path):
    refusal(path, file_bytes() + b"\0")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\0" * 8,
        b"\xff" * 8,
        b"\xff" * 1000,
        b"\x80\x04\x95",
        b"PK\x03\x04" + b"\0" * 100,
        struct.pack("<Q", 2) + b"[]",
        struct.pack("<Q", 99_999_999) + b"{}",
        struct.pack("<Q", 100_000) + b'{"a":' * 20_000,
    ],
    ids=["empty", "zeros", "huge", "ones", "pickle", "zip", "list", "too long", "nested deep"],
)
def test_what_is_no_safetensors_file_is_refused(path, content):
    assert "is damaged, cut off, or no safetensors file (" in refusal(path, content)


def test_a_foreign_safetensors_file_is_refused(path):
    for metadata in (None, {"format": "pt"}):
        content = safetensors.torch.save({"w": torch.ones(2)}, metadata=metadata)
        assert refusal(path, content) == (
            f"{path} is a safetensors file, but not one that tellapart wrote "
            "(its header has no 'tellapart' entry)"
        )


@pytest.mark.parametrize(
    "text",
    ["", "null", "[]", "3", "{", "[" * 100_000, '{"a":' * 100_000, '{"a":' + "9" * 5000 + "}"],
    ids=["empty", "null", "list", "number", "cut off", "deep list", "deep table", "long number"],
)
def test_a_header_that_is_no_json_object_is_refused(path, text):
    told = refusal(path, file_bytes(text))
    assert told == f"{path}: the 'tellapart' entry of its header is not a JSON object"


@pytest.mark.parametrize(
    ("value", "words"),
    [(1, "it reads 2"), (3, "a newer tellapart"), (None, "format None"), ([1], "format [1]")],
)
def test_another_format_is_refused(path, value, words):
    assert words in refusal(path, file_bytes({**HEADER, "format": value}))


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("network", "small-residul", "did you mean 'small-residual'?"),
        ("network", "\ud800", "unknown network"),
        ("network", "__class__", "unknown network"),
        ("network", 3, "network must be text"),
        ("network", None, "network must be text"),
        ("network", "lenet", "network 'lenet' has no argument 'width'"),
        ("arguments", [], "arguments must be a table"),
        ("arguments", {"width": 0}, "from 1 to 4096, got 0"),
        ("arguments", {"width": 10**30}, "from 1 to 4096"),
        ("arguments", {"width": "2"}, "whole number"),
        ("arguments", {"width": {"a": 1}}, "arguments.width must be"),
        ("arguments", {"num_classes": 3}, "has no argument 'num_classes'"),
        ("arguments", {"width": 3}, "tensor"),
        ("class_names", "ab", "class_names must be a list"),
        ("class_names", {"a": "b"}, "class_names must be a list"),
        ("class_names", ["a", 3], "class_names must be text"),
        ("class_names", ["a"], "at least 2 different"),
        ("class_names", ["a", "a"], "at least 2 different"),
        ("class_names", ["a", "\udc80"], "half a character"),
        ("class_names", ["a", "b", "c"], "tensor 'output.bias' must be torch.float32 (3,)"),
        ("class_names", [str(n) for n in range(20_000)], "tensor 'output."),
        ("image_shape", 3, "image_shape must be a list"),
        ("image_shape", [1, 8], "3 positive sizes"),
        ("image_shape", [1, 8, 8, 8], "3 positive sizes"),
        ("image_shape", [1, 0, 8], "image_shape must be at least 1"),
        ("image_shape", [1, -8, 8], "image_shape must be at least 1"),
        ("image_shape", [True, 8, 8], "image_shape must be a whole number"),
        ("image_shape", [1, 8.5, 8], "image_shape must be a whole number"),
        ("image_shape", [1, 10**9, 10**9], "image_shape must be at most 65536"),
        ("image_shape", [1, 1, 1], "cannot take images of (channels, height, width) (1, 1, 1)"),
        ("image_shape", [3, 8, 8], "must be torch.float32 (2, 3, 3, 3)"),
        ("normalization", 3, "normalization must be a table"),
        ("normalization", {"mean": [0.5]}, "normalization lacks std"),
        ("normalization", {"mean": [], "std": []}, "one mean and one std per channel"),
        ("normalization", {"mean": [0, 0], "std": [1]}, "one mean and one std per channel"),
        ("normalization", {"mean": [0, 0], "std": [1, 1]}, "one mean and std for all channels"),
        ("normalization", {"mean": [float("nan")], "std": [1]}, "mean must be a finite number"),
        ("normalization", {"mean": [float("inf")], "std": [1]}, "mean must be a finite number"),
        ("normalization", {"mean": [0], "std": [0]}, "std must be greater than 0"),
        ("normalization", {"mean": [0], "std": [-1]}, "std must be greater than 0"),
        ("normalization", {"mean": [0], "std": [float("nan")]}, "std must be a finite number"),
        ("normalization", {"mean": [10**400], "std": [1]}, "mean must be a number"),
        ("normalization", {"mean": [0], "std": [10**400]}, "std must be a number"),
        ("normalization", {"mean": [0], "std": [1e-320]}, "finite in float32"),
        ("normalization", {"mean": ["0"], "std": [1]}, "mean must be a number"),
        ("normalization", {"mean": [0], "std": [1], "more": 1}, "unknown key"),
        ("views", "two", "views must be one of plain, mirrored"),
        ("views", ["plain"], "views must be one of plain"),
        ("fit", "stretch", "fit must be one of pad, crop, squash"),
        ("style", 3, "style must be"),
        ("style", {}, "style lacks background"),
        ("style", STYLE | {"background": 3}, "background must be one of dark, light"),
        ("style", STYLE | {"row": "x"}, "row must be a number"),
        ("style", STYLE | {"row": -1.0}, "fractions of the frame"),
        ("style", STYLE | {"row": float("nan")}, "fractions of the frame"),
        ("unheard-of", 1, "unknown key 'unheard-of'"),
    ],
)
def test_a_hostile_specification_is_refused_with_its_reason(path, key, value, words):
    told = refusal(path, file_bytes({**HEADER, "classifier": {**SPEC, key: value}}))
    assert words in told


@pytest.mark.parametrize("key", SPEC)
def test_a_specification_without_one_of_its_entries_is_refused(path, key):
    left = {name: value for name, value in SPEC.items() if name != key}
    told = refusal(path, file_bytes({**HEADER, "classifier": left}))
    assert key in told or key == "arguments"


@pytest.mark.parametrize("key", ["format", "classifier"])
def test_a_header_without_one_of_its_entries_is_refused(path, key):
    refusal(path, file_bytes({name: value for name, value in HEADER.items() if name != key}))


def test_how_images_are_made_to_fit_comes_back(path):
    style = DrawingStyle(**STYLE)
    made = Classifier(
        build_network("small-residual", (1, 8, 8), 2, {"width": 2}),
        ClassifierSpec(
            network="small-residual",
            arguments={"width": 2},
            class_names=("a", "b"),
            image_shape=(1, 8, 8),
            normalization=Normalization((0.5,), (0.5,)),
            fit="crop",
            style=style,
        ),
    )
    save_classifier(path, made, {})
    loaded = load_classifier(path)
    assert (loaded.spec.fit, loaded.spec.style) == ("crop", style)
    assert loaded.with_network(loaded.network).spec.style == style


@pytest.mark.parametrize("views", ["plain", "mirrored", "shifted", "mirrored-and-shifted"])
def test_views_come_back(tmp_path, views):
    classifier = make()
    classifier = classifier.with_views(views)
    save_classifier(tmp_path / "model.safetensors", classifier, {})
    loaded = load_classifier(tmp_path / "model.safetensors")
    assert loaded.views == views
    assert torch.equal(loaded(pictures()), classifier(pictures()))


def test_what_is_not_given_has_its_default(path):
    path.write_bytes(file_bytes())
    spec = load_classifier(path).spec
    assert (spec.fit, spec.style, spec.views) == ("pad", None, "plain")


def test_what_is_known_of_training_is_not_needed(path):
    path.write_bytes(file_bytes({**HEADER, "training": [3]}))
    assert read_classifier(path)[1] == {}


@pytest.mark.parametrize(
    ("header", "shape"),
    [
        ({"arguments": {"width": 4096}}, [1, 8, 8]),
        ({"network": "two-conv", "arguments": {}}, [1, 65_536, 65_536]),
        ({"network": "lenet", "arguments": {}}, [1, 65_536, 65_536]),
    ],
    ids=["wide", "two-conv on huge images", "lenet on huge images"],
)
def test_a_small_file_cannot_ask_for_much_memory(path, header, shape):
    # The first walk through torch's meta device imports a lot: it is not what is measured.
    two_conv = {**SPEC, "network": "two-conv", "arguments": {}}
    refusal(path, file_bytes({**HEADER, "classifier": two_conv}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refusal(path, file_bytes({**HEADER, "classifier": {**SPEC, **header, "image_shape": shape}}))
    grown_mb = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown_mb < 100


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t | {"more": torch.ones(1)}, "missing: none; unknown: more"),
        (lambda t: {n: v for n, v in t.items() if n != "output.bias"}, "missing: output.bias"),
        (lambda _: {}, "missing: block1.first.conv.weight"),
        (lambda t: t | {"output.bias": torch.ones(3)}, "must be torch.float32 (2,), got torch.fl"),
        (lambda t: t | {"output.bias": torch.ones(2).half()}, "got torch.float16 (2,)"),
        (lambda t: t | {"output.bias": torch.ones(2, dtype=torch.int32)}, "got torch.int32 (2,)"),
        (lambda t: t | {"output.bias": torch.ones(1, 2)}, "got torch.float32 (1, 2)"),
    ],
    ids=["extra", "missing", "none", "shape", "half", "whole", "dimensions"],
)
def test_tensors_that_are_not_the_networks_are_refused(path, change, message):
    assert message in refusal(path, file_bytes(tensors=change(dict(TENSORS))))


WHOLE = file_bytes()


@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    changes=st.lists(
        st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), min_size=1, max_size=4
    )
)
@example(changes=[(WHOLE.index(b'"F32"') + 1, ord("I"))])
def test_changed_bytes_load_or_are_refused_and_nothing_else(path, changes):
    content = bytearray(WHOLE)
    for place_, value in changes:
        content[place_] = value
    path.write_bytes(content)
    try:
        loaded = load_classifier(path)
    except ClassifierFileError:
        return
    # What is accepted is whole: it can be used.
    assert loaded(torch.zeros(1, *loaded.image_shape, dtype=torch.uint8)).shape == (1, 2)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(content=st.binary(max_size=300))
def test_any_bytes_are_refused(path, content):
    refusal(path, content)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(key=st.sampled_from(list(SPEC)), value=JSON)
def test_any_value_in_the_header_is_refused_or_meant_the_same(path, key, value):
    path.write_bytes(file_bytes(json.dumps({**HEADER, "classifier": {**SPEC, key: value}})))
    try:
        load_classifier(path)
    except ClassifierFileError:
        return
    # 1 and True and 1.0 are one number to Python; a picture of another size may fit as well.
    assert value == SPEC[key] or key in ("image_shape", "class_names", "normalization")


@pytest.mark.parametrize("place_", ["fsync", "fdopen"])
def test_a_full_disk_keeps_the_old_classifier(path, monkeypatch, place_):
    save_classifier(path, make(), {})
    before = path.read_bytes()

    def full_disk(*arguments):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, place_, full_disk)
    with pytest.raises(RunError, match=r"cannot write .*: No space left on device.*untouched"):
        save_classifier(path, make("lenet"), {})
    monkeypatch.undo()
    assert path.read_bytes() == before
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_a_header_that_json_does_not_know_keeps_the_old_file(path):
    save_classifier(path, make(), {})
    before = path.read_bytes()
    with pytest.raises(ValueError, match="JSON compliant"):
        save_classifier(path, make(), {"loss": float("nan")})
    assert path.read_bytes() == before
