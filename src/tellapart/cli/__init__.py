"""The command line: parse, call, print. Heavy imports happen inside the handlers."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence

from tellapart.errors import TellapartError

_DONE, _OUR_FAULT, _WRONG_REQUEST, _INTERRUPTED = 0, 1, 2, 130
# What the file system refuses is the person's to mend, as any wrong request is.
_REFUSALS = {errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS}


def main() -> None:
    """Runs the command line and exits with its code."""
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
        return _refuse(f"{_one_line(str(error))}; see `tellapart --help`")
    except TellapartError as error:
        return _refuse(str(error))
    except BrokenPipeError:
        # Whoever read our output has read enough; Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _DONE
    except OSError as error:
        if error.errno not in _REFUSALS:
            raise
        return _refuse(f"{error.strerror}: {error.filename or 'while reading or writing'}")
    except KeyboardInterrupt:
        print("tellapart: interrupted", file=sys.stderr)
        return _INTERRUPTED
    return code if isinstance(code, int) else _DONE


def _refuse(message: str) -> int:
    print(f"tellapart: {message}", file=sys.stderr)
    return _WRONG_REQUEST


def _one_line(message: str) -> str:
    return " ".join(message.split()).rstrip(".")
