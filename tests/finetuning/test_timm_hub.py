"""Published weights: the cache first, and an answer at once where there is no connection."""

import socket
import threading
import time
from types import SimpleNamespace

import pytest
import torch

from tellapart.errors import ConfigError
from tellapart.finetuning import timm_hub
from tellapart.finetuning.timm_hub import with_published_weights


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch):
    monkeypatch.setattr("urllib.request.getproxies", dict)


@pytest.fixture
def server():
    """The address of a server that accepts connections and reads nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def closed_port():
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number = listening.getsockname()[1]
    return f"http://127.0.0.1:{number}"


def refusal(timm, *words):
    with pytest.raises(ConfigError) as raised:
        with_published_weights(timm, "tiny.v1")
    message = str(raised.value)
    assert "\n" not in message
    assert all(word in message for word in ("'tiny.v1'", "--weights FILE", *words)), message


def never(*arguments, **more):
    raise AssertionError("the network was asked")


def test_weights_in_the_cache_need_no_network(timm, monkeypatch):
    monkeypatch.setattr("socket.create_connection", never)
    timm.hub.constants.HF_HUB_OFFLINE = True
    with_published_weights(timm, "tiny.v1")
    assert timm.file == timm.hub.cached


def test_either_file_of_the_cache_is_found(timm):
    asked = []

    def try_to_load_from_cache(repository, file, revision=None):
        asked.append((repository, file, revision))
        return "found.bin" if file == "pytorch_model.bin" else None

    timm.hub.try_to_load_from_cache = try_to_load_from_cache
    with_published_weights(timm, "tiny.v1")
    assert timm.file == "found.bin"
    assert asked[0] == ("timm/tiny.v1", "model.safetensors", None)


def test_with_a_connection_timm_downloads_them(timm, server):
    timm.hub.cached, timm.hub.constants.ENDPOINT = None, server
    with_published_weights(timm, "tiny.v1")
    assert timm.file is None


def test_a_server_that_refuses_is_reported_at_once(timm):
    timm.hub.cached, timm.hub.constants.ENDPOINT = None, closed_port()
    timm.create_model = never
    start = time.monotonic()
    refusal(timm, "127.0.0.1 cannot be reached", "timm/tiny.v1")
    assert time.monotonic() - start < 2


def test_a_name_that_is_looked_up_for_ever_is_given_up(timm, monkeypatch):
    released = threading.Event()

    def create_connection(address, timeout):
        released.wait(60)
        raise OSError("too late")

    monkeypatch.setattr("socket.create_connection", create_connection)
    monkeypatch.setattr(timm_hub, "_CONNECT_SECONDS", 0.05)
    timm.hub.cached = None
    try:
        refusal(timm, "no answer within 0.05 s")
    finally:
        released.set()


def test_offline_on_purpose(timm, monkeypatch):
    monkeypatch.setattr("socket.create_connection", never)
    timm.hub.cached, timm.hub.constants.HF_HUB_OFFLINE = None, True
    refusal(timm, "HF_HUB_OFFLINE")


def test_behind_a_proxy_the_connection_is_not_tried(timm, monkeypatch):
    monkeypatch.setattr("socket.create_connection", never)
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"http": "http://proxy:3128"})
    timm.hub.cached, timm.hub.constants.ENDPOINT = None, "http://hub.invalid"
    with_published_weights(timm, "tiny.v1")


def test_a_download_that_fails(timm, server):
    def create_model(name, pretrained):
        raise RuntimeError("404 Client Error\nmore")

    timm.hub.cached, timm.hub.constants.ENDPOINT = None, server
    timm.create_model = create_model
    refusal(timm, "404 Client Error")


def test_a_network_without_published_weights(timm):
    timm.get_pretrained_cfg = lambda _: SimpleNamespace(hf_hub_id=None, url="")
    refusal(timm, "no published weights")


def test_weights_that_are_not_on_the_hub(timm, tmp_path, monkeypatch):
    url = f"{closed_port()}/files/tiny.pth"
    timm.get_pretrained_cfg = lambda _: SimpleNamespace(hf_hub_id=None, url=url)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    refusal(timm, "127.0.0.1 cannot be reached", url)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "tiny.pth").touch()
    with_published_weights(timm, "tiny.v1")
