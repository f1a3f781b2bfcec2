"""Decoding many images in parallel, on all cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from tellapart.data.images.colours import AboveWhiteLevelError
from tellapart.data.images.decoding import ImageFacts, decode, reason_of
from tellapart.data.images.digests import Progress, num_cores
from tellapart.data.images.fast_resize import resize_many
from tellapart.data.images.listing import ReadableFile
from tellapart.data.images.opening import quiet_pillow
from tellapart.data.preparation import Frame
from tellapart.errors import DataError

# Larger jobs cost less to hand over, but the last job keeps one core busy while the others wait;
# these numbers divide even 64 photographs well over 2 to 16 cores.
_MOST_FILES_AT_A_TIME, _JOBS_PER_CORE = 16, 16


class Outcome(NamedTuple):
    """The results of decoding, by row.

    Args:
        failures: why an image could not be decoded.
        facts: what was seen of an image, where it is anything out of the ordinary.
    """

    failures: dict[int, str]
    facts: dict[int, ImageFacts]


def decode_all(
    files: Mapping[int, ReadableFile],
    frame: Frame,
    pixels: NDArray[np.uint8],
    progress: Progress | None,
) -> Outcome:
    """Decodes each row's file into ``pixels``, uint8 (rows, channels, height, width).

    Threads, not processes: Pillow and torch let go of Python's lock while they decode and resize,
    and nothing has to be sent from one process to another.
    """
    outcome = Outcome({}, {})
    listed = list(files.items())
    done = 0
    with quiet_pillow():
        pool = ThreadPoolExecutor(num_cores())
        try:
            fair = len(listed) // (_JOBS_PER_CORE * num_cores())
            size = max(1, min(fair, _MOST_FILES_AT_A_TIME))
            portions = [listed[start : start + size] for start in range(0, len(listed), size)]
            jobs = {pool.submit(_decode_some, some, frame, pixels): len(some) for some in portions}
            for job in as_completed(jobs):
                failures, facts = job.result()
                outcome.failures.update(failures)
                outcome.facts.update(facts)
                done += jobs[job]
                if progress:
                    progress(done, len(listed))
        finally:  # on Ctrl-C, what has not begun is not begun
            pool.shutdown(cancel_futures=True)
    return outcome


def _decode_some(
    files: Sequence[tuple[int, ReadableFile]], frame: Frame, pixels: NDArray[np.uint8]
) -> Outcome:
    outcome = Outcome({}, {})
    for row, path in files:
        try:
            decoded = decode(path, frame, resize_many)
        except DataError as error:
            outcome.failures[row] = reason_of(path, error)
            if isinstance(error, AboveWhiteLevelError):
                outcome.facts[row] = ImageFacts(peak=error.peak)
            continue
        pixels[row] = decoded.pixels.transpose(2, 0, 1)
        if decoded.facts != ImageFacts():
            outcome.facts[row] = decoded.facts
    return outcome
