"""All texts of the pages in English and in Chinese; a button on the page switches the language."""

from __future__ import annotations

from typing import TypeAlias

from tellapart.page.markup import Markup, element

#: A text by language: ``en`` and ``zh``.
Bilingual: TypeAlias = dict[str, str]


def bilingual(english: str, chinese: str) -> Bilingual:
    """Return a text in both languages."""
    return {"en": english, "zh": chinese}


def translated(tag: str, name: str, **attributes: str | float | None) -> Markup:
    """Return an element with the text called ``name``, which follows the chosen language."""
    return element(tag, TEXTS[name]["en"], data_text=name, **attributes)


TEXTS: dict[str, Bilingual] = {
    "language": bilingual("中文", "English"),
    "language-label": bilingual("Switch to Chinese", "切换到英文"),
    # The player
    "convolution-title": bilingual("Convolution, step by step", "卷积，一步一步看"),
    "convolution-lead": bilingual(
        "A kernel slides over the image. At every place, each pixel is multiplied by the weight "
        "on top of it, and the products are added up: this gives one number of the feature map.",
        "卷积核在图片上滑动。在每个位置，叠在一起的数相乘再相加，得到特征图上的一个数。",
    ),
    "pooling-title": bilingual("Pooling, step by step", "池化，一步一步看"),
    "pooling-lead": bilingual(
        "One number replaces all pixels in the window: the map gets smaller, and a shift by one "
        "pixel matters less.",
        "用一个数代表窗口看到的全部：图变小，一个像素的移动不再那么重要。",
    ),
    "activation-title": bilingual("Activation, number by number", "激活函数，一个数一个数看"),
    "activation-lead": bilingual(
        "After a convolution, the same function is applied to each number. Without such a "
        "nonlinear function, two layers could do no more than one.",
        "卷积之后，每个数各自经过同一条曲线。没有这样的弯折，两层网络并不比一层更强。",
    ),
    "choose-convolution": bilingual("Kernel", "卷积核"),
    "choose-pooling": bilingual("Kind", "种类"),
    "choose-activation": bilingual("Function", "函数"),
    "input": bilingual("Input", "输入"),
    "output": bilingual("Feature map", "特征图"),
    "under": bilingual("Under the kernel", "核下的数"),
    "kernel": bilingual("Kernel", "卷积核"),
    "products": bilingual("Products", "乘积"),
    "window": bilingual("In the window", "窗口中的数"),
    "sum": bilingual("Sum", "和"),
    "max": bilingual("Maximum", "最大值"),
    "mean": bilingual("Mean", "平均值"),
    "value": bilingual("Result", "结果"),
    "slope": bilingual("slope here", "此处斜率"),
    "bias": bilingual("bias", "偏置"),
    "others": bilingual("the other channels", "其余通道"),
    "channel": bilingual("Channel", "通道"),
    "controls": bilingual("Controls", "控制"),
    "first": bilingual("First place (Home)", "第一个位置（Home）"),
    "back": bilingual("One step back (left arrow)", "后退一步（左箭头）"),
    "play": bilingual("Play (space)", "播放（空格）"),
    "pause": bilingual("Pause (space)", "暂停（空格）"),
    "forward": bilingual("One step forward (right arrow)", "前进一步（右箭头）"),
    "last": bilingual("Last place (End)", "最后一个位置（End）"),
    "place": bilingual("Place", "位置"),
    "pace": bilingual("Speed", "速度"),
    "pace-slow": bilingual("slow", "慢"),
    "pace-steady": bilingual("medium", "中"),
    "pace-fast": bilingual("fast", "快"),
    "step": bilingual("step {step} of {count}", "第 {step} 步，共 {count} 步"),
    "row-column": bilingual("row {row}, column {column}", "第 {row} 行，第 {column} 列"),
    "seen": bilingual(
        "This number, {value}, is used in {count} results.",
        "这个数 {value} 参与 {count} 个结果。",
    ),
    "seen-once": bilingual(
        "This number, {value}, is used in one result.", "这个数 {value} 只参与一个结果。"
    ),
    "unseen": bilingual(
        "This number, {value}, is used in no result: no window covers it.",
        "这个数 {value} 不参与任何结果：没有窗口覆盖它。",
    ),
    "border": bilingual("Padding: a zero that was added.", "填充的零。"),
    "border-max": bilingual("Padding: it can never be the maximum.", "填充：它永远不会是最大值。"),
    "how-title": bilingual("How to read and control it", "怎样看、怎样操作"),
    "how-hover": bilingual(
        "Point at or tap a number of the result to see which numbers it is computed from; point at "
        "a number of the input to see which results it is used in.",
        "指向或点按结果中的一个数，看它从哪里来；指向输入中的一个数，看它到哪里去。",
    ),
    "how-keys": bilingual(
        "Space plays and pauses; ← → move one step, ↑ ↓ one row; Home and End jump to the ends.",
        "空格播放或暂停，← → 走一步，↑ ↓ 上下一行，Home 和 End 跳到两端。",
    ),
    "how-colours": bilingual(
        "Blue is positive, orange is negative; a deeper colour is further from 0. Numbers are "
        "shown with four digits, but computed without this rounding.",
        "蓝为正，橙为负，离 0 越远越深。数字显示时取四位，计算时没有舍入。",
    ),
    "size-title": bilingual("Size of the result", "结果有多大"),
    "size-meaning": bilingual(
        "The number of places follows from pixels n, padding p, dilation d, kernel k and stride s:",
        "像素数 n、填充 p、膨胀 d、核 k 和步幅 s 决定有多少个位置：",
    ),
    "height": bilingual("height", "高"),
    "width": bilingual("width", "宽"),
    # The network
    "network-lead": bilingual(
        "From left to right: the output of each layer for the image, and what each layer costs. "
        "Shapes are channels × height × width.",
        "从左到右：图片经过各层时变成什么，每一层要花多少。形状是 通道 × 高 × 宽。",
    ),
    "network-title": bilingual("The network", "网络"),
    "diagram": bilingual(
        "The layers as boxes; larger maps are higher", "各层的示意图：方块的高即图的边长"
    ),
    "layers": bilingual("Layer by layer", "逐层看"),
    "parameters": bilingual("parameters", "参数"),
    "multiply-adds": bilingual("multiply-adds", "乘加"),
    "layers-count": bilingual("layers", "层"),
    "no-parameters": bilingual("none", "无"),
    "total-fraction": bilingual("fraction of all multiply-adds", "占全部乘加的份额"),
    "more": bilingual("+{count} more", "还有 {count} 个"),
    "picture": bilingual("The image", "图片"),
    "probabilities": bilingual("Predicted probabilities", "它的判断"),
    "lens": bilingual("Enlarged", "放大镜"),
    "lens-hint": bilingual(
        "Point at, tap, or select with the Tab key a feature map to enlarge it.",
        "指向、点按或用 Tab 选中一张特征图，放大查看。",
    ),
    "map-of": bilingual("{layer}, map {index}", "{layer}，第 {index} 张图"),
    "number-of": bilingual("{layer}, number {index}", "{layer}，第 {index} 个数"),
    "range": bilingual("from {low} to {high}, mean {mean}", "从 {low} 到 {high}，平均 {mean}"),
    "no-picture": bilingual(
        "No image was given, so no feature maps are shown; give one with --image.",
        "没有给出图片，所以不显示特征图；用 --image 给一张。",
    ),
    "how-network": bilingual(
        "Each small image is one channel; blue is positive, orange is negative, with one scale "
        "for all channels of a layer. ← → move between maps; Home and End jump to the first and "
        "the last map of a layer.",
        "每张小图是一个通道；蓝为正，橙为负，同一层用同一尺度。"
        "← → 在图间移动，Home 和 End 到一层的两端。",
    ),
}
