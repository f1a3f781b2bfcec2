"""``tellapart.ops`` beside torch's own operations: milliseconds, forwards and with the backward.

Protocol: the sizes of the tutorial's second convolution, a batch of 64 pictures of 32x26x26 under
64 kernels of 3x3, and of what follows it; fp32, on the processor, with two threads. Each case runs
twice with the same numbers, laid out as torch makes them (NCHW) and with channels last, because
torch's own times differ up to tenfold between the two; both ratios stand in the table. ``ops`` and
torch take turns, so that a machine that slows down slows both. Before its clock each side runs
three times; then n times (default 15) by one call each. "forward" is under ``no_grad``; "both" is
forward and the gradients of all floating inputs. Reported are the median, minimum, mean and sample
std; the ratio is of the minima, the figure that other work on the machine disturbs least.
The convolution by plain loops is left out: it makes 21 million turns of a Python loop for each
picture.

    python benchmarks/operations.py                  a minute
    python benchmarks/operations.py --repeats 5 --threads 1
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch.nn import functional

from protocol import describe_run, write_results
from tellapart import ops
from tellapart.runtime import choose_runtime

WARM_UPS = 3
LAYOUTS = {"NCHW": torch.contiguous_format, "channels last": torch.channels_last}
PASSES = ("forward", "both")
SIDES = ("ours", "torch")


@dataclass(frozen=True)
class Case:
    """The same calculation by ``ops`` and by torch.

    Args:
        name: the row of the table.
        ours: takes the tensors and gives one.
        reference: the same by torch.
        shapes: of the tensors, filled with normal numbers.
    """

    name: str
    ours: Callable[..., torch.Tensor]
    reference: Callable[..., torch.Tensor]
    shapes: tuple[tuple[int, ...], ...]


def cases() -> list[Case]:
    convolution = ((64, 32, 26, 26), (64, 32, 3, 3), (64,))
    outputs = (64, 64, 24, 24)
    labels = torch.randint(10, (64,), generator=torch.Generator().manual_seed(0))
    return [
        *(
            Case(f"conv2d, {form}", partial(ops.conv2d, form=form), functional.conv2d, convolution)
            for form in ("matrix", "windows", "fourier")
        ),
        Case(
            "conv2d 3x3, depthwise",
            partial(ops.conv2d, groups=32),
            partial(functional.conv2d, groups=32),
            ((64, 32, 26, 26), (32, 1, 3, 3), (32,)),
        ),
        Case(
            "conv_transpose2d",
            ops.conv_transpose2d,
            functional.conv_transpose2d,
            (outputs, (64, 32, 3, 3), (32,)),
        ),
        Case("relu", ops.relu, functional.relu, (outputs,)),
        Case(
            "max_pool2d 2x2",
            partial(ops.max_pool2d, kernel_size=2),
            partial(functional.max_pool2d, kernel_size=2),
            (outputs,),
        ),
        Case(
            "avg_pool2d 2x2",
            partial(ops.avg_pool2d, kernel_size=2),
            partial(functional.avg_pool2d, kernel_size=2),
            (outputs,),
        ),
        Case(
            "batch_norm",
            partial(ops.batch_norm, training=True),
            _torch_batch_norm,
            (outputs, (64,), (64,)),
        ),
        Case("linear", ops.linear, functional.linear, ((64, 9216), (128, 9216), (128,))),
        Case(
            "cross_entropy",
            lambda logits: ops.cross_entropy(logits, labels),
            lambda logits: functional.cross_entropy(logits, labels),
            ((64, 10),),
        ),
    ]


def _torch_batch_norm(
    images: torch.Tensor, weight: torch.Tensor, bias: torch.Tensor
) -> torch.Tensor:
    return functional.batch_norm(images, None, None, weight, bias, training=True)


def measure(case: Case, layout: str, direction: str, repeats: int) -> dict[str, Any]:
    """Both sides of one case, taking turns."""
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(shape, generator=generator) for shape in case.shapes]
    tensors = [_laid_out(tensor, layout).requires_grad_() for tensor in tensors]
    upstream = _laid_out(torch.ones_like(case.reference(*tensors)), layout)

    def run(operation: Callable[..., torch.Tensor]) -> float:
        start = time.perf_counter()
        if direction == "forward":
            with torch.no_grad():
                operation(*tensors)
        else:
            torch.autograd.grad(operation(*tensors), tensors, upstream)
        return 1000 * (time.perf_counter() - start)

    milliseconds: dict[str, list[float]] = {side: [] for side in SIDES}
    for turn in range(WARM_UPS + repeats):
        for side, operation in zip(SIDES, (case.ours, case.reference), strict=True):
            elapsed = run(operation)
            if turn >= WARM_UPS:
                milliseconds[side].append(elapsed)
    return {
        "operation": case.name,
        "layout": layout,
        "pass": direction,
        **{side: _summary(values) for side, values in milliseconds.items()},
        "ratio_of_minima": min(milliseconds["ours"]) / min(milliseconds["torch"]),
    }


def _laid_out(tensor: torch.Tensor, layout: str) -> torch.Tensor:
    return tensor.contiguous(memory_format=LAYOUTS[layout]) if tensor.ndim == 4 else tensor


def _summary(milliseconds: list[float]) -> dict[str, Any]:
    return {
        "median_ms": statistics.median(milliseconds),
        "min_ms": min(milliseconds),
        "mean_ms": statistics.fmean(milliseconds),
        "std_ms": statistics.stdev(milliseconds) if len(milliseconds) > 1 else 0.0,
        "n": len(milliseconds),
    }


def table(rows: list[dict[str, Any]]) -> str:
    """The comparison, for people: milliseconds, median (minimum)."""
    titles = ("operation", "layout", "pass", "ops", "torch", "ratio")
    lines = ["{:24}{:15}{:9}{:>18}{:>18}{:>7}".format(*titles)]
    for row in rows:
        sides = [f"{row[side]['median_ms']:.2f} ({row[side]['min_ms']:.2f})" for side in SIDES]
        lines.append(
            f"{row['operation']:24}{row['layout']:15}{row['pass']:9}"
            f"{sides[0]:>18}{sides[1]:>18}{row['ratio_of_minima']:>7.1f}"
        )
    lines.append(
        "milliseconds: median (minimum); the ratio is of the minima, above 1 ops is slower"
    )
    return "\n".join(lines)


def main() -> int:
    arguments = parse_arguments()
    torch.set_num_threads(arguments.threads)
    rows = []
    for case in cases():
        layouts = list(LAYOUTS) if any(len(shape) == 4 for shape in case.shapes) else ["NCHW"]
        for layout in layouts:
            for direction in PASSES:
                rows.append(measure(case, layout, direction, arguments.repeats))
        print(f"measured {case.name}", file=sys.stderr)
    payload = {"rows": rows, "environment": describe_run(choose_runtime("cpu", "fp32"))}
    print(table(rows))
    print(f"written to {write_results('operations', payload)}", file=sys.stderr)
    return 0


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Time tellapart.ops beside torch's operations.")
    parser.add_argument("--repeats", type=int, default=15, help="timed calls a side; default 15")
    parser.add_argument("--threads", type=int, default=2, help="default 2")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
