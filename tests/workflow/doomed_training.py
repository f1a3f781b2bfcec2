"""Runs ``train`` with the ARGUMENTS it is given, in a process that the tests may kill.

With ``die_at_sync`` it cuts the file that is being synced in half and kills itself on the spot:
what is on the disk then is what a power cut or a SIGKILL in the middle of a write leaves.
"""

import os
import signal
import stat

from tellapart.runs.session import Session
from tellapart.workflow.train import train


def die_at(number: int) -> None:
    synced, sync = 0, os.fsync

    def doomed_sync(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        if synced < number:
            sync(descriptor)
            return
        status = os.fstat(descriptor)
        if stat.S_ISREG(status.st_mode):
            os.ftruncate(descriptor, status.st_size // 2)
        os.kill(os.getpid(), signal.SIGKILL)

    os.fsync = doomed_sync


arguments = dict(globals()["ARGUMENTS"])
if "die_at_sync" in arguments:
    die_at(arguments.pop("die_at_sync"))
session = Session(threads=arguments.pop("threads", None))
train(**arguments, session=session)
