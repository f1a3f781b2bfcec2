"""How the threads of OpenMP wait for one another, settled before torch is loaded.

torch divides each operation among threads of OpenMP, and after each they wait for the slowest. One
that waits spins for some milliseconds before it sleeps: its core is busy and does nothing. Where
other programs want the cores too, the thread that is waited for may have lost its core to one that
spins, and training becomes several times slower.

GNU's library reads the environment once, when it is loaded. So a program sets the variables before
``import torch``; a library leaves them alone, because they count for the whole process.

Source: GNU libgomp manual, "Environment Variables": GOMP_SPINCOUNT and OMP_WAIT_POLICY.
"""

from __future__ import annotations

import os
import sys

# Seconds of training by the recipe `fast` on mnist, two cores: alone, beside one busy thread, and
# beside another training.
#     unset (300,000 spins)        1.3 to 1.6   4.4 to 5.6   6 to 17
#     1,000                        1.5          2.9 to 3.6   2.9 to 3.6
#     0, or the policy `passive`   2.0          2.8          2.8
# `benchmarks/company.py` measures it, and docs/speed.md has its table.
SPIN_COUNT = 1000

WAIT_VARIABLES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY", "KMP_BLOCKTIME")
"""The variables that decide how threads wait; the last is that of Intel's and LLVM's library."""

_set_by_tellapart = False


def wait_without_spinning_long() -> None:
    """Makes threads that wait go to sleep soon, unless the environment decides how they wait.

    Does nothing where it would have no effect: after torch is loaded, and on systems other than
    Linux, where torch brings another library than GNU's. Only a program may call this, such as the
    command line.
    """
    global _set_by_tellapart
    is_decided = any(name in os.environ for name in WAIT_VARIABLES)
    if is_decided or "torch" in sys.modules or sys.platform != "linux":
        return
    os.environ["GOMP_SPINCOUNT"] = str(SPIN_COUNT)
    _set_by_tellapart = True


def describe_waiting() -> dict[str, str] | None:
    """Return the variables that are set and who ``set_by`` set them; None where none is set.

    Who is ``tellapart`` (`wait_without_spinning_long` in this process) or ``environment``.
    """
    found = {name: os.environ[name] for name in WAIT_VARIABLES if name in os.environ}
    if not found:
        return None
    return {**found, "set_by": "tellapart" if _set_by_tellapart else "environment"}
