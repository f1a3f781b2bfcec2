"""The image that an animated page shows: a file, a bundled digit, or one of a run's data."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from tellapart.data.images.opening import open_image, quiet_pillow, upright_size
from tellapart.data.images.reading import read_fitted
from tellapart.data.preparation import Frame
from tellapart.data.sets.sources import load_data_set
from tellapart.errors import ConfigError, DataError, RunError
from tellapart.files import expand_home
from tellapart.illustration.learned import LARGEST_SIDE
from tellapart.illustration.scenes import Field
from tellapart.illustration.texts import Bilingual, bilingual
from tellapart.models.classifier import Classifier
from tellapart.models.reading import read_image
from tellapart.runs.trained_run import TrainedRun

_DIGIT_SHAPE = (1, 28, 28)
_USUAL_DIGIT = 3
_CHANGES = {"inverted": "反相", "enlarged": "放大", "made smaller": "缩小", "centred": "居中"}


def grey_field(image: str | Path | None, digit: int | None) -> Field:
    """Return grey levels 0..255 of an image file, at most 28 pixels a side, or of a bundled digit.

    Raises:
        DataError: a file that cannot be read as an image.
        ConfigError: an image and a digit, or a number that is no digit.
    """
    _refuse_both(image, digit)
    if image is None:
        pixels, caption = _bundled_digit(digit)
        return Field(pixels.float(), caption, is_image=True)
    path = expand_home(image)
    size = _size_in_file(path)
    scale = min(1.0, LARGEST_SIDE / max(size))
    height, width = (max(1, round(side * scale)) for side in size)
    pixels = torch.tensor(read_fitted(path, Frame(1, height, width)).pixels)
    caption = bilingual(f"{path.name}, {width}x{height}, grey levels 0 to 255", "")
    caption["zh"] = f"{path.name}，{width}x{height}，灰度 0 到 255"
    if scale < 1:
        caption["en"] += f"; resized from {size[1]}x{size[0]}"
        caption["zh"] += f"；由 {size[1]}x{size[0]} 缩小"
    return Field(pixels.float(), caption, is_image=True)


def _refuse_both(image: str | Path | None, digit: int | None) -> None:
    if image is not None and digit is not None:
        raise ConfigError(f"give --image or --digit, not both, got {image} and {digit}")


def _size_in_file(path: Path) -> tuple[int, int]:
    """Height and width upright; any size for an unreadable file, since reading it raises later."""
    try:
        with quiet_pillow(), open_image(path) as opened:
            width, height = upright_size(opened.image)
            return height, width
    except DataError:
        return LARGEST_SIDE, LARGEST_SIDE


def _bundled_digit(digit: int | None) -> tuple[Tensor, Bilingual]:
    """A bundled image of the class ``digit``, uint8 (1, 28, 28), with its caption."""
    wanted = _USUAL_DIGIT if digit is None else digit
    if not 0 <= wanted <= 9:
        raise ConfigError(f"--digit must be 0 to 9, got {digit}")
    test = load_data_set("mnist-sample").split("test")
    index = int((test.labels == wanted).nonzero()[0])
    caption = bilingual(
        f"a handwritten {wanted} of MNIST, 28x28", f"MNIST 的手写数字 {wanted}，28x28"
    )
    return test.images[index], caption


def image_for(
    run: TrainedRun, image: str | Path | None, digit: int | None
) -> tuple[Tensor | None, Bilingual | None]:
    """Return an image in the input form of the classifier, uint8 (channels, height, width).

    Without ``image`` and ``digit`` it is an image of the run's own data, else a bundled digit if
    that fits, else None. The second value is a caption: where the image comes from.

    Raises:
        DataError: a file that cannot be read as an image.
        ConfigError: an image and a digit, or a digit that does not fit the classifier.
    """
    _refuse_both(image, digit)
    if image is not None:
        return _from_file(run.classifier, expand_home(image))
    is_like_a_digit = run.classifier.image_shape == _DIGIT_SHAPE
    if digit is not None and not is_like_a_digit:
        raise ConfigError(
            f"a bundled digit is (channels, height, width) {_DIGIT_SHAPE}, the classifier takes "
            f"{run.classifier.image_shape}; give an image with --image"
        )
    if digit is None and run.path.is_dir():
        try:
            return _own_image(run)
        except (DataError, RunError):
            pass  # the run's data is gone: use any image that fits
    return _bundled_digit(digit) if is_like_a_digit else (None, None)


def _from_file(classifier: Classifier, path: Path) -> tuple[Tensor, Bilingual]:
    """An image file, read as ``predict`` reads it, so that both give the same result."""
    _, height, width = classifier.image_shape
    fitted = f"{width}x{height}"
    caption = bilingual(f"{path.name}, made to fit {fitted}", f"{path.name}，调整为 {fitted}")
    read = read_image(path, classifier.spec)
    if read.changes:
        caption["en"] += f"; as those trained on: {', '.join(read.changes)}"
        caption["zh"] += "；" + "、".join(_CHANGES.get(change, change) for change in read.changes)
    return torch.tensor(read.pixels), caption


def _own_image(run: TrainedRun) -> tuple[Tensor, Bilingual]:
    """The first image of the run's test split, or of its train split if it has no test split."""
    splits = run.splits
    split = "test" if "test" in splits else "train"
    images = splits[split]
    name, data = images.class_names[int(images.labels[0])], run.data.name
    split_words = {"test": "测试", "train": "训练"}[split]
    return images.images[0], bilingual(
        f"the first {split} image of {data}: {name}", f"{data} 的第一张{split_words}图片：{name}"
    )
