"""What every command needs besides its subject: the machine, the data folder, the callbacks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path

from tellapart.runs.callbacks import Callbacks
from tellapart.runtime import Runtime, choose_runtime, limited_threads


@dataclass(frozen=True)
class Session:
    """The options that all commands share; made once and handed to each.

    Args:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda``, ``cuda:1`` or ``mps``.
        threads: how many an operation on the processor may use; None is torch's choice, and for a
            run that is resumed the number with which it began.
        data_dir: where files of the catalogue's data sets are looked for first.
        network: the place of a person's own network, ``my_nets.py:Net``, for classifiers that are
            of one. Their code is run only when it is named here, never because a file names it.
        callbacks: follows the command; see `Callbacks`.

    >>> import tellapart
    >>> session = tellapart.Session(device="cpu", threads=1)
    """

    device: str = "auto"
    threads: int | None = None
    data_dir: Path | None = None
    network: str | None = None
    callbacks: Callbacks = field(default_factory=Callbacks)

    def runtime(self, precision: str = "fp32") -> Runtime:
        """The device of the session, computing in ``precision``.

        Raises:
            DeviceError: where this machine has no such device.
        """
        return choose_runtime(self.device, precision)

    def limited_threads(self) -> AbstractContextManager[None]:
        """Limits the threads to those of the session inside a ``with`` block."""
        return limited_threads(self.threads)
