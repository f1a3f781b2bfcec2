"""Named kernels, and kernels written as numbers."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch

from tellapart.errors import ConfigError
from tellapart.illustration.texts import Bilingual, bilingual
from tellapart.wording import did_you_mean

_HOW = "write numbers row by row, as in '1,0,-1; 2,0,-2; 1,0,-1'"


@dataclass(frozen=True)
class Kernel:
    """A kernel of one channel with its name and an explanation.

    Args:
        name: its name on the command line.
        weight: float32, (height, width).
        title: its name on the page.
        meaning: what it responds to, in a sentence.
    """

    name: str
    weight: torch.Tensor
    title: Bilingual
    meaning: Bilingual


def kernel_named(text: str) -> Kernel:
    """Return a kernel by its name, or from numbers: ``;`` separates rows, ``,`` numbers.

    Example:
        >>> kernel_named("1,0,-1").weight
        tensor([[ 1.,  0., -1.]])

    Raises:
        ConfigError: for an unknown name, rows of different lengths, or numbers that float32 cannot
            represent.
    """
    if text in KERNELS:
        return KERNELS[text]
    rows = [row for row in re.split(r"[;\n]", text) if row.strip()]
    try:
        numbers = [
            [float(number) for number in re.split(r"\s*,\s*|\s+", row.strip())] for row in rows
        ]
    except ValueError:
        raise ConfigError(_no_kernel(text)) from None
    if not numbers:
        raise ConfigError(f"the kernel is empty; {_HOW}")
    if len({len(row) for row in numbers}) > 1:
        lengths = ", ".join(str(len(row)) for row in numbers)
        raise ConfigError(f"the rows of a kernel must be equally long, got {lengths}; {_HOW}")
    weight = torch.tensor(numbers, dtype=torch.float64).float()
    if not bool(weight.isfinite().all()):
        raise ConfigError(f"the numbers of a kernel must be finite in float32, got {text!r}")
    meaning = bilingual("The kernel that you wrote.", "您写的卷积核。")
    return Kernel("yours", weight, bilingual("yours", "您的核"), meaning)


def _no_kernel(text: str) -> str:
    if not re.search(r"[a-zA-Z]{2}", text):
        return f"kernel {text!r} must be numbers or a name; {_HOW}"
    hint = did_you_mean(text, KERNELS, otherwise=f"known: {', '.join(KERNELS)}")
    return f"no kernel is called {text!r}{hint} (or give numbers, or RUN:LAYER)"


def _kernel(name: str, rows: list[list[float]], title: Bilingual, meaning: Bilingual) -> Kernel:
    return Kernel(name, torch.tensor(rows, dtype=torch.float32), title, meaning)


TUTORIAL = "tutorial"
DEFAULT = "vertical-edges"

_ALL = (
    _kernel(
        DEFAULT,
        [[1, 0, -1], [2, 0, -2], [1, 0, -1]],
        bilingual("vertical edges", "竖直边缘"),
        bilingual(
            "Left minus right: blue where the image gets darker from left to right, orange where "
            "it gets brighter, 0 where it stays the same. (Sobel)",
            "左减右：向右变暗处为蓝，向右变亮处为橙，不变处为零。（Sobel 算子）",
        ),
    ),
    _kernel(
        "horizontal-edges",
        [[1, 2, 1], [0, 0, 0], [-1, -2, -1]],
        bilingual("horizontal edges", "水平边缘"),
        bilingual(
            "Above minus below: blue along the lower edge of a bright stroke, orange along its "
            "upper edge. (Sobel)",
            "上减下：亮笔画的下沿为蓝，上沿为橙。（Sobel 算子）",
        ),
    ),
    _kernel(
        "edges",
        [[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]],
        bilingual("edges in all directions", "各方向边缘"),
        bilingual(
            "Each pixel compared with its eight neighbours: the weights add up to 0, so a uniform "
            "area gives 0. (Laplacian)",
            "每个像素与它的八个邻居相比：权重之和为 0，所以均匀处得 0。（拉普拉斯算子）",
        ),
    ),
    _kernel(
        "blur",
        [[0.0625, 0.125, 0.0625], [0.125, 0.25, 0.125], [0.0625, 0.125, 0.0625]],
        bilingual("blur", "模糊"),
        bilingual(
            "A weighted mean of the neighbourhood: the weights are sixteenths and add up to 1.",
            "邻域的加权平均：权重都是十六分之几，和为 1。",
        ),
    ),
    _kernel(
        "sharpen",
        [[0, -1, 0], [-1, 5, -1], [0, -1, 0]],
        bilingual("sharpen", "锐化"),
        bilingual(
            "The image plus its edges: the weights add up to 1, so uniform areas stay unchanged.",
            "图片加上它的边缘：权重之和为 1，均匀处的灰度不变。",
        ),
    ),
    _kernel(
        # conv1, the fourth of eight, of: tellapart train mnist-sample --set model.network=
        # single-conv --set epochs=5, with seed 0; rounded to hundredths.
        "learned",
        [[-0.27, -0.36, -0.26], [-0.09, 0.20, -0.18], [0.31, 0.29, 0.35]],
        bilingual("learned", "学到的核"),
        bilingual(
            "Nobody wrote this kernel: a network learned it from 4,000 digits. It detects upper "
            "edges: dark above, bright below.",
            "没有人写过这个核：它是网络从 4,000 个数字中学到的，成了“上沿探测器”：上暗下亮。",
        ),
    ),
    _kernel(
        TUTORIAL,
        [[1, 1], [1, 1]],
        bilingual("worked example", "教程例题"),
        bilingual(
            "The example of the tutorials, small enough to compute by hand: the numbers 1 to 9 and "
            "a kernel of ones. Every result is the sum of four neighbours.",
            "教程里的例题，小到可以手算：数字 1 到 9，全 1 的核。每个结果是四个相邻数之和。",
        ),
    ),
)

KERNELS = {kernel.name: kernel for kernel in _ALL}
