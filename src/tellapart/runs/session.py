"""The options that all commands share: the device, the data folder, the callbacks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tellapart.runs.callbacks import Callbacks
from tellapart.runtime import Runtime, choose_runtime, limited_threads


@dataclass(frozen=True)
class Session:
    """The options that all commands share; made once and passed to each.

    Args:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        threads: threads of one operation on the CPU; None is torch's default, and for a resumed run
            the number it began with.
        data_dir: the folder that is searched first for files of the catalogue's data sets.
        network: the location of your own network, ``my_nets.py:Net``. Its code runs only if it is
            named here, never because a file names it.
        callbacks: follow the command; see `Callbacks`.

    >>> import tellapart
    >>> session = tellapart.Session(device="cpu", threads=1)
    """

    device: str = "auto"
    threads: int | None = None
    data_dir: Path | None = None
    network: str | None = None
    callbacks: Callbacks = field(default_factory=Callbacks)

    def runtime(self, precision: str = "fp32") -> Runtime:
        """Return the device of the session with this ``precision``: auto, fp32 or bf16.

        Raises:
            DeviceError: a device that this machine does not have.
        """
        return choose_runtime(self.device, precision)

    def limited_threads(self) -> AbstractContextManager[None]:
        """Limits the threads to the session's number inside a ``with`` block."""
        return limited_threads(self.threads)
