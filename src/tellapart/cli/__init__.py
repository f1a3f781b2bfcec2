"""The command line: parse, call, print. Heavy imports happen inside the handlers."""

from __future__ import annotations

import errno
import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from tellapart.errors import TellapartError
from tellapart.openmp import wait_without_spinning_long

if TYPE_CHECKING:
    from cyclopts import CycloptsError

_DONE, _OUR_FAULT, _WRONG_REQUEST, _INTERRUPTED = 0, 1, 2, 130
# Errors of the file system that the person can solve: they exit as a wrong request does.
_REFUSALS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG),
}


def main() -> None:
    """Runs the command line and exits with its code."""
    wait_without_spinning_long()
    for stream in (sys.stdout, sys.stderr):
        # Characters of a file's name that a terminal or a pipe cannot show are printed as \\xNN.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Runs one command.

    Returns:
        0 done; 2 the request or its input is wrong; 1 a fault of tellapart; 130 interrupted.
    """
    from cyclopts import CycloptsError

    from tellapart.cli.commands import app

    try:
        code = app(
            list(arguments),
            exit_on_error=False,
            print_error=False,
            result_action="return_value",
        )
        sys.stdout.flush()
    except CycloptsError as error:
        return _refuse(_usage_error(error))
    except TellapartError as error:
        return _refuse(str(error))
    except BrokenPipeError:
        # The reader of our output has closed it; without this Python would complain at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _DONE
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return _refuse(f"{error.strerror}: {error.filename or 'while reading or writing'}")
    except KeyboardInterrupt as interrupt:
        notes = getattr(interrupt, "__notes__", [])
        print("; ".join(["tellapart: interrupted", *notes]), file=sys.stderr)
        return _INTERRUPTED
    return code if isinstance(code, int) else _DONE


def _refuse(message: str) -> int:
    print(f"tellapart: {message}", file=sys.stderr)
    return _WRONG_REQUEST


def _usage_error(error: CycloptsError) -> str:
    """The parser's message on one line, with the command whose help to read."""
    from cyclopts import UnusedCliTokensError

    message = " ".join(str(error).split()).rstrip(".")
    if isinstance(error, UnusedCliTokensError):
        message = f"cannot make sense of {' '.join(map(repr, error.unused_tokens or ()))}"
    command = " ".join(["tellapart", *(error.command_chain or ())])
    return f"{message}{' See' if message.endswith('?') else '; see'} `{command} --help`"
