"""The machine: device, precision, processes, threads, seeded generators, a stopwatch."""

from __future__ import annotations

import contextlib
import ctypes
import hashlib
import os
import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TypeVar

import torch

from tellapart.errors import DeviceError
from tellapart.openmp import describe_waiting

ModuleT = TypeVar("ModuleT", bound=torch.nn.Module)


@dataclass(frozen=True)
class Runtime:
    """The device and precision of a network, and the rank of this process.

    Args:
        device: the device that holds weights and images.
        precision: ``fp32``, or ``bf16`` for autocast to bfloat16 with weights kept in fp32.
        rank: the number of this process among those that train together, from 0.
        world_size: how many processes there are; 1 for a single process.
    """

    device: torch.device
    precision: str
    rank: int = 0
    world_size: int = 1

    @property
    def is_main(self) -> bool:
        """Whether this is the one process that prints and writes files."""
        return self.rank == 0

    @contextlib.contextmanager
    def autocast(self) -> Iterator[None]:
        """Runs the operations inside in this precision."""
        if self.precision == "fp32":
            yield
            return
        # The cache of cast weights would outlive an optimizer step taken inside the same block;
        # blocks here hold one forward pass each, so it is safe and saves casts.
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            yield

    def synchronize(self) -> None:
        """Waits until the device has finished all its work."""
        if self.device.type == "cuda":
            torch.cuda.synchronize(self.device)
        elif self.device.type == "mps":
            torch.mps.synchronize()


def choose_runtime(device: str = "auto", precision: str = "auto") -> Runtime:
    """Return the runtime for a device such as ``auto`` or ``cuda:1``, and for this process.

    Raises:
        DeviceError: a device that this machine does not have, or as :func:`rank_and_world_size`.
    """
    chosen = choose_device(device)
    if precision == "auto":
        precision = "bf16" if multiplies_bf16_fast(chosen) else "fp32"
    rank, world_size = rank_and_world_size()
    return Runtime(chosen, precision, rank, world_size)


def rank_and_world_size() -> tuple[int, int]:
    """Return the rank of this process and the number of processes: (0, 1) for a single one.

    They come from ``torch.distributed`` if it is initialised, else from the variables RANK and
    WORLD_SIZE that ``torchrun`` sets.

    Raises:
        DeviceError: variables that are not such numbers.
    """
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    rank, world_size = os.environ.get("RANK"), os.environ.get("WORLD_SIZE")
    if rank is None or world_size is None:
        return 0, 1
    is_whole = rank.isdecimal() and world_size.isdecimal()
    if not is_whole or not int(rank) < int(world_size):
        raise DeviceError(
            "the variables RANK and WORLD_SIZE must be whole numbers, RANK from 0 to WORLD_SIZE "
            f"less 1, got {rank!r} and {world_size!r}; unset both, or start with torchrun"
        )
    return int(rank), int(world_size)


def choose_device(name: str = "auto") -> torch.device:
    """Return the device called ``name``; ``auto`` is CUDA, else Apple's MPS, else the CPU.

    Raises:
        DeviceError: an unknown name, or a device that this machine does not have.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise DeviceError(f"unknown device {name!r}; use auto, cpu, cuda, cuda:0 or mps") from None
    if device.type == "cpu":
        return device
    present = {
        "cuda": torch.cuda.is_available() and (device.index or 0) < torch.cuda.device_count(),
        "mps": torch.backends.mps.is_available(),
    }
    if not present.get(device.type, False):
        raise DeviceError(f"device {name!r} is not available on this machine; use --device auto")
    return device


def multiplies_bf16_fast(device: torch.device) -> bool:
    """Whether ``device`` has instructions of its own for bfloat16 products."""
    if device.type == "cuda":
        return torch.cuda.get_device_capability(device) >= (8, 0)
    if device.type == "cpu":
        capability = torch.backends.cpu.get_cpu_capability()
        # Without AVX512-BF16 or AMX, oneDNN emulates bfloat16 and loses what it saves.
        return capability.startswith("AVX512") and _cpu_has_bf16()
    return False


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def place(module: ModuleT, runtime: Runtime) -> ModuleT:
    """Moves a module to the device, its kernels laid out channels last, in place."""
    # Both at once would do, but torch's type stubs do not know that signature.
    return module.to(runtime.device).to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def keep_freed_memory() -> None:
    """Makes the C allocator keep freed memory instead of returning it to the system.

    Every step frees and allocates the same tensors of a few MB. glibc returns blocks of that size
    at once, and the system clears each page again when it is next used: a quarter of a step of a
    small network. Only glibc has this setting; elsewhere nothing happens. It lasts for the process,
    which then holds its peak memory until it ends; so only a program may call this, such as the
    command line, never a library.

    Source: glibc manual, "Malloc Tunable Parameters": M_MMAP_THRESHOLD and M_TRIM_THRESHOLD.
    """
    if platform.libc_ver()[0] != "glibc":
        return
    mmap_threshold, trim_threshold = -3, -1
    library = ctypes.CDLL(None)
    library.mallopt(mmap_threshold, 2**30)
    library.mallopt(trim_threshold, 2**31 - 1)


@contextlib.contextmanager
def limited_threads(num_threads: int | None) -> Iterator[None]:
    """Limits the threads of an operation inside a ``with`` block.

    Args:
        num_threads: at least 1; None keeps torch's number.

    Raises:
        DeviceError: fewer than one.

    >>> before = torch.get_num_threads()
    >>> with limited_threads(1):
    ...     torch.get_num_threads()
    1
    >>> torch.get_num_threads() == before
    True
    """
    if num_threads is None:
        yield
        return
    if num_threads < 1:
        raise DeviceError(f"threads must be at least 1, got {num_threads}")
    before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def derived_seed(seed: int, *purpose: str | int) -> int:
    """Return a seed for one purpose, e.g. ``derived_seed(0, "shuffle", epoch)``.

    Randomness is a function of (seed, purpose, epoch), not of a generator's state that has to be
    saved: an epoch that is run again draws the same numbers.
    """
    text = "/".join(str(part) for part in (seed, *purpose))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def generator(
    seed: int, *purpose: str | int, device: torch.device | None = None
) -> torch.Generator:
    """Return a generator for one purpose; see :func:`derived_seed`."""
    made = torch.Generator(device or torch.device("cpu"))
    made.manual_seed(derived_seed(seed, *purpose))
    return made


class Stopwatch:
    """Measures seconds between entering and leaving, with the device's work finished at both.

    >>> with Stopwatch(Runtime(torch.device("cpu"), "fp32")) as watch:
    ...     _ = torch.ones(3).sum()
    >>> watch.elapsed_seconds > 0
    True
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.elapsed_seconds = 0.0

    def __enter__(self) -> Stopwatch:
        self._runtime.synchronize()
        self._start = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._runtime.synchronize()
        self.elapsed_seconds = time.perf_counter() - self._start


def describe_environment(runtime: Runtime) -> dict[str, str | int | dict[str, str] | None]:
    """Return what every measurement is reported with: versions, machine, threads, precision.

    ``wait_policy`` holds the variables that decide how threads wait, and who set them, as
    `tellapart.openmp.describe_waiting` returns them; None where none is set.
    """
    from tellapart import __version__

    described: dict[str, str | int | dict[str, str] | None] = {
        "tellapart": __version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.release()}",
        "processor": _processor_name(),
        "cores": os.cpu_count() or 1,
        "threads": torch.get_num_threads(),
        "wait_policy": describe_waiting(),
        "device": str(runtime.device),
        "precision": runtime.precision,
    }
    if runtime.device.type == "cuda":
        described["gpu"] = torch.cuda.get_device_name(runtime.device)
    return described


def _processor_name() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text("utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
