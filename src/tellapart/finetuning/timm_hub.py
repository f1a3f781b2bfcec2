"""Published weights of timm's networks: from the hub's cache, or downloaded.

huggingface_hub answers after about 50 seconds where there is no connection: timm asks it for two
files, and for each it tries six times, waiting 1, 2, 4, 8 and 8 seconds in between (its
``http_backoff``). No setting of the library shortens that, so the cache is searched first and the
server is tried by one connection before anything is asked of it.
"""

from __future__ import annotations

import importlib
import socket
import threading
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import torch

from tellapart.errors import ConfigError

# The names of the weights that timm asks the hub for, in its order.
_FILES = ("model.safetensors", "pytorch_model.bin")
_CONNECT_SECONDS = 3.0
_PORTS = {"http": 80, "https": 443}


def with_published_weights(timm: Any, name: str) -> Any:
    """Build the network that timm calls ``name`` with its published weights.

    Weights that are in the cache are used as they are, without asking the network.

    Raises:
        ConfigError: a network without published weights, or weights that are not in the cache and
            cannot be downloaded.
    """
    published = timm.get_pretrained_cfg(name)
    hub_id = getattr(published, "hf_hub_id", None)
    url = getattr(published, "url", None) or ""
    if not hub_id and not url:
        raise ConfigError(
            f"there are no published weights of timm's {name!r}; choose another name of "
            "timm.list_pretrained(), or give weights of your own with --weights FILE"
        )
    changes: dict[str, Any] = {}
    try:
        if hub_id:
            hub = importlib.import_module("huggingface_hub")
            cached = _in_hub_cache(hub, hub_id, published.hf_hub_filename)
            if cached:
                # A file from the hub is in torch's format, even if the one at ``url`` is not.
                changes = {"pretrained_cfg_overlay": {"file": cached, "custom_load": False}}
            elif hub.constants.HF_HUB_OFFLINE:
                raise ConnectionError("they are not in the cache, and HF_HUB_OFFLINE is set")
            else:
                _require_connection(hub.constants.ENDPOINT)
        elif not (Path(str(torch.hub.get_dir())) / "checkpoints" / _file_name(url)).exists():
            _require_connection(url)
        return timm.create_model(name, pretrained=True, **changes)
    except Exception as error:
        # The hub's client raises errors of many types: a refusal, no such file, a proxy.
        reason = (str(error) or type(error).__name__).splitlines()[0]
        place = f"{hub_id} of the hub" if hub_id else url
        raise ConfigError(
            f"the weights of timm's {name!r} cannot be downloaded ({reason}); fetch {place} on "
            "another machine and give it with --weights FILE"
        ) from None


def _in_hub_cache(hub: Any, hub_id: str, file: str | None) -> str | None:
    """The weights file of ``ORGANISATION/NAME[@REVISION]`` in the hub's cache, if it is there."""
    repository, _, revision = hub_id.partition("@")
    for candidate in [file] if file else _FILES:
        found = hub.try_to_load_from_cache(repository, candidate, revision=revision or None)
        if isinstance(found, str):
            return found
    return None


def _file_name(url: str) -> str:
    return Path(urlsplit(url).path).name


def _require_connection(url: str) -> None:
    """Raise ConnectionError at once if the server at ``url`` cannot be reached.

    A proxy is not tried: it may look up names that this machine cannot.
    """
    parts = urlsplit(url)
    host, proxies = parts.hostname or "", urllib.request.getproxies()
    if (proxies.keys() & {parts.scheme, "all"}) and not urllib.request.proxy_bypass(host):
        return
    reason = _why_unreachable(host, parts.port or _PORTS.get(parts.scheme, 443))
    if reason:
        raise ConnectionError(f"they are not in the cache, and {host} cannot be reached: {reason}")


def _why_unreachable(host: str, port: int) -> str:
    """Why no connection can be made within `_CONNECT_SECONDS`; empty if one can."""
    reasons: list[str] = []

    def connect() -> None:
        try:
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
        except OSError as error:
            reasons.append(error.strerror or str(error))
        else:
            reasons.append("")

    # In a thread, because looking up a name has no timeout, and every address has its own.
    thread = threading.Thread(target=connect, daemon=True)
    thread.start()
    thread.join(_CONNECT_SECONDS)
    return reasons[0] if reasons else f"no answer within {_CONNECT_SECONDS:g} s"
