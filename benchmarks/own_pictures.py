"""Picture files: how fast they become a tensor, and whether a set larger than memory costs speed.

    python benchmarks/own_pictures.py                     half an hour; writes, rewrites the docs
    python benchmarks/own_pictures.py --pictures 200 --sizes 500x375 --runs 1 --dry-run    a look
    python benchmarks/own_pictures.py --render-only       rewrites the docs from the stored results

Protocol. Photographs are made up (smooth noise with texture, JPEG quality 85) in a temporary
folder, so that the figures need no download: ``--pictures`` of the first of ``--sizes``, of each
other as many as make about as many pixels, but at least 64. ``--folder`` takes pictures of yours.

*Decoding*: the same files, once through the cache of this package (empty before each run, hashing
and the search for near duplicates included) and once through what most people write: a ``Dataset``
that opens, converts, resizes and turns one picture into float32, under a ``DataLoader`` of batches
of 64, without workers and with one per core, forked. One epoch each; the first time of each way is
not counted. The cache is filled in processes of their own, because workers that were forked slow
down what their parent does afterwards, in which there is one uncounted filling before the counted
one. The ways take turns, so that a machine that is slower for a while is slower for all.

*Second start*: from the call to data that can be trained on, the cache filled.

*Larger than memory*: ``--mapped-gigabytes`` of pictures in one mapped file; ``--steps`` steps of
training the network of the recipe ``photos`` on random batches of it, through the gathering that
training uses, and the same with a set that is in memory, three times in turns, after ten steps
outside the clock. The file is on the disk before that, a quarter larger than the machine's memory
where nothing else is asked for. Pages that the system may drop are not counted as memory:
``RssAnon`` is what the process itself holds.

The result goes to ``benchmarks/results/own_pictures.json``, and a table of it to
``docs/decisions/decode-once.md``.
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import harmonic_mean
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, Dataset

from protocol import (
    ROOT,
    Spread,
    describe_run,
    fill_block,
    read_results,
    run_fresh,
    spread,
    taking_turns,
    write_results,
)
from tellapart.data.image_set import ImageSet
from tellapart.data.images.digests import num_cores
from tellapart.data.images.files import find_images
from tellapart.data.images.mapping import mapped_bytes
from tellapart.data.preparation import Preparation
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import TellapartError
from tellapart.models.registry import build_network
from tellapart.runtime import choose_runtime, place
from tellapart.training.batches import batches_of

BATCH = 64
_TURNS = 3
# A web page's photograph, a screen's, and a telephone's.
SIZES = ("500x375", "1600x1200", "4000x3000")
DOCUMENT = ROOT / "docs" / "decisions" / "decode-once.md"


def make_pictures(folder: Path, count: int, size: tuple[int, int]) -> None:
    """``count`` JPEG files of two classes; no two show the same."""
    rng = np.random.default_rng(0)
    texture = rng.normal(0, 12, (size[1], size[0], 3))
    for number in range(count):
        coarse = rng.integers(0, 256, (9, 12, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))
        shifted = np.roll(texture, rng.integers(0, 200, 2), (0, 1))
        pixels = np.clip(smooth + shifted, 0, 255).astype(np.uint8)
        path = folder / ("even", "odd")[number % 2] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=85)
        path.write_bytes(file.getvalue())


class UsualDataset(Dataset[torch.Tensor]):
    """A picture at a time, as in most tutorials."""

    def __init__(self, paths: list[Path], side: int) -> None:
        self.paths, self.side = paths, side

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> torch.Tensor:
        image = Image.open(self.paths[index]).convert("RGB")
        scale = self.side / min(image.size)
        size = (round(image.width * scale), round(image.height * scale))
        image = image.resize(size, Image.Resampling.BILINEAR)
        left, top = (size[0] - self.side) // 2, (size[1] - self.side) // 2
        image = image.crop((left, top, left + self.side, top + self.side))
        return torch.from_numpy(np.array(image)).permute(2, 0, 1).float().div_(255)


def seconds_of(work: Callable[[], object]) -> float:
    """Wall-clock seconds of one run."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def load_here(folder: Path, side: int) -> None:
    """Decodes what the cache does not hold."""
    load_data_set(folder, preparation=Preparation(channels=3, height=side, width=side))


def seconds_here(folder: Path, side: int) -> float:
    """Of decoding everything into an empty cache, the second time."""
    for _ in range(2):
        shutil.rmtree(os.environ["TELLAPART_CACHE"], ignore_errors=True)
        seconds = seconds_of(partial(load_here, folder, side))
    return seconds


def usual_epoch(folder: Path, side: int, num_workers: int) -> Callable[[], float]:
    """Takes an epoch of a ``Dataset`` under a ``DataLoader``, and gives its seconds."""
    pictures = UsualDataset(find_images([str(folder)]), side)
    loader = DataLoader(pictures, batch_size=BATCH, num_workers=num_workers)
    return partial(seconds_of, partial(deque, loader, maxlen=0))


def measure_decoding(folder: Path, side: int, runs: int) -> dict[str, Any]:
    """Pictures per second of three ways, and the seconds of the second start."""
    ways: dict[str, Callable[[], float]] = {
        "tellapart": partial(run_fresh, seconds_here, folder, side),
        "dataset, no workers": usual_epoch(folder, side, 0),
        "dataset, a worker per core": usual_epoch(folder, side, num_cores()),
    }
    for way in ways.values():
        way()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for name, _ in taking_turns(dict.fromkeys(ways, runs)):
        seconds[name].append(ways[name]())
    num_images = len(find_images([str(folder)]))
    rates = {
        name: spread([num_images / some for some in measured]).to_json()
        for name, measured in seconds.items()
    }
    load_here(folder, side)
    again = [seconds_of(partial(load_here, folder, side)) for _ in range(runs)]
    second = spread(again).to_json()
    return {"images_per_second": rates, "second_start_seconds": second}


def anonymous_megabytes() -> float:
    """What the process holds that is no file, in MB; 0 where the system does not report it."""
    status = Path("/proc/self/status")
    lines = status.read_text("utf-8").splitlines() if status.exists() else []
    values = [int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")]
    return values[0] if values else 0.0


def _memory_gigabytes() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def measure_mapped(folder: Path, side: int, gigabytes: float, num_steps: int) -> dict[str, Any]:
    """Steps of a mapped set, larger than memory if asked, against steps of one in memory."""
    image_bytes = 3 * side * side
    count = int(gigabytes * 2**30) // image_bytes
    path = folder / "mapped.u8"
    block = torch.randint(0, 256, (2**24,), dtype=torch.uint8).numpy().tobytes()
    with path.open("wb") as file:
        for _ in range(count * image_bytes // len(block) + 1):
            file.write(block)
        # Else the system would still be writing while the clock runs.
        os.fsync(file.fileno())
    flat = mapped_bytes(path, count * image_bytes)
    large = ImageSet(
        flat.view(count, 3, side, side), torch.zeros(count, dtype=torch.int64), ("a", "b"), True
    )
    small = large.select(torch.arange(min(count, 2000)))
    runtime = choose_runtime("cpu")
    network = place(build_network("photo-residual", (3, side, side), 2, {}), runtime)
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-4, fused=True)

    def train_on(train: ImageSet, steps: int) -> float:
        order = torch.randint(len(train), (steps * BATCH,))
        start = time.perf_counter()
        for images, labels in batches_of(train, torch.split(order, BATCH), runtime.device):
            pictures = images.to(torch.float32, memory_format=torch.channels_last) / 255
            with runtime.autocast():
                logits = network(pictures)
            optimizer.zero_grad()
            cross_entropy(logits.float(), labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        return steps * BATCH / (time.perf_counter() - start)

    train_on(small, 10)
    train_on(large, 10)
    before = anonymous_megabytes()
    turns = [(train_on(large, num_steps), train_on(small, num_steps)) for _ in range(_TURNS)]
    rates = {
        way: harmonic_mean(turn[column] for turn in turns)
        for column, way in enumerate(("mapped", "in memory"))
    }
    grown = anonymous_megabytes() - before
    path.unlink()
    return {
        "run": describe_run(runtime),
        "gigabytes": gigabytes,
        "memory_gigabytes": _memory_gigabytes(),
        "images_per_second": rates,
        "speed_of_mapped": rates["mapped"] / rates["in memory"],
        "memory_grown_megabytes": grown,
    }


def parse_arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--folder", type=Path, help="pictures of yours, a folder per class")
    parser.add_argument("--pictures", type=int, default=2000)
    parser.add_argument(
        "--sizes", nargs="+", default=SIZES, help="of made-up pictures, WIDTHxHEIGHT"
    )
    parser.add_argument("--side", type=int, default=128, help="what they are resized to")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument(
        "--mapped-gigabytes", type=float, help="default: a quarter more than the machine's memory"
    )
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--dry-run", action="store_true", help="print, and write no result")
    parser.add_argument("--mapped-only", action="store_true", help="keep the stored decoding")
    parser.add_argument("--decoding-only", action="store_true", help="keep what was mapped")
    parser.add_argument("--render-only", action="store_true", help="measure nothing")
    return parser.parse_args()


def measure(arguments: argparse.Namespace) -> dict[str, Any]:
    """Everything in the protocol, for each size of photograph."""
    decoding: dict[str, Any] = {}
    gigabytes = arguments.mapped_gigabytes or 1.25 * _memory_gigabytes()
    if arguments.mapped_only:
        results = read_results("own_pictures")
        with tempfile.TemporaryDirectory() as name:
            mapped = measure_mapped(Path(name), arguments.side, gigabytes, arguments.steps)
        return {**results, "larger_than_memory": mapped}
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        os.environ["TELLAPART_CACHE"] = str(place / "cache")
        if arguments.folder is not None:
            decoding["given"] = measure_decoding(arguments.folder, arguments.side, arguments.runs)
        for size in arguments.sizes if arguments.folder is None else ():
            width, height = map(int, size.split("x"))
            first_width, first_height = map(int, arguments.sizes[0].split("x"))
            fewer = (first_width * first_height) / (width * height)
            count = max(64, round(arguments.pictures * min(1, fewer)))
            folder = place / size
            make_pictures(folder, count, (width, height))
            measured = measure_decoding(folder, arguments.side, arguments.runs)
            decoding[size] = {"num_images": count, **measured}
            shutil.rmtree(folder)
        if arguments.decoding_only:
            mapped = read_results("own_pictures")["larger_than_memory"]
        else:
            mapped = measure_mapped(place, arguments.side, gigabytes, arguments.steps)
        return {
            "run": describe_run(choose_runtime("cpu", "fp32")),
            "side": arguments.side,
            "decoding": decoding,
            "larger_than_memory": mapped,
        }


def results_block(results: dict[str, Any]) -> str:
    """The Markdown between the two marks: rates by size, and the conditions."""
    lines = [
        "| photographs | tellapart | Dataset, no workers | Dataset, a worker per core "
        "| times as fast as no workers | second start |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for size, measured in results["decoding"].items():
        rates = {way: Spread(**rate) for way, rate in measured["images_per_second"].items()}
        here, usual, _ = rates.values()
        cells = " | ".join(rate.to_text(0) for rate in rates.values())
        second = Spread(**measured["second_start_seconds"]).to_text(2)
        lines.append(f"| {size} | {cells} | {here.mean / usual.mean:.1f} | {second} s |")
    machine, mapped = results["run"], results["larger_than_memory"]
    rates = mapped["images_per_second"]
    lines += [
        "",
        f"Pictures per second, made {results['side']}x{results['side']}; mean ± sample std over "
        f"{here.n} runs. {_conditions(machine)}.",
        "",
        f"Training the network of `photos` on {mapped['gigabytes']:g} GB of pictures in a mapped "
        f"file, on a machine with {mapped['memory_gigabytes']:.0f} GB of memory: "
        f"{rates['mapped']:.0f} pictures per second; on 2,000 in memory: {rates['in memory']:.0f}. "
        f"The process grew by {mapped['memory_grown_megabytes']:.0f} MB. "
        f"{_conditions(mapped['run'])}.",
    ]
    return "\n".join(lines)


def _conditions(machine: dict[str, Any]) -> str:
    return (
        f"{machine['processor']}, {machine['cores']} cores; Python {machine['python']}, torch "
        f"{machine['torch']}, tellapart {machine['tellapart']}, commit {machine['commit']}; "
        f"`{machine['command']}`"
    )


def main() -> int:
    arguments = parse_arguments()
    try:
        results = read_results("own_pictures") if arguments.render_only else measure(arguments)
        if not arguments.dry_run and not arguments.render_only:
            write_results("own_pictures", results)
        block = results_block(results)
        if not arguments.dry_run:
            fill_block(DOCUMENT, "own-pictures", block)
    except TellapartError as error:
        print(error, file=sys.stderr)
        return 2
    print(block)
    return 0


if __name__ == "__main__":
    sys.exit(main())
