"""Opening image files, and refusing those that must not be decoded, with the reason.

What is limited is what is decoded. A JPEG can be decoded at an eighth of its size, so one of 200
million pixels is read; anything else of that size is refused before a pixel is made.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, NamedTuple

from PIL import Image, JpegImagePlugin, UnidentifiedImageError

from tellapart.data.images.formats import FORMATS, refused_tiff, why_not_read, with_black_as_zero
from tellapart.data.images.listing import ReadableFile
from tellapart.errors import DataError

MAX_PIXELS = 100_000_000
"""An image with more decoded pixels than this (300 MB as RGB) is refused."""
# A progressive JPEG has all its coefficients in memory at any decoded size; for other JPEGs the
# limit is for the time.
_MAX_PROGRESSIVE_PIXELS, _MAX_JPEG_PIXELS = 2 * MAX_PIXELS, 10 * MAX_PIXELS
_BUFFER_BYTES = 2**16
_ORIENTATION_TAG, _PHOTOMETRIC_TAG = 0x0112, 262
QUARTER_TURNS = (5, 6, 7, 8)
"""The EXIF orientations that exchange width and height."""


class OpenedImage(NamedTuple):
    """A file's image before it is decoded.

    Args:
        image: of Pillow.
        white_is_zero: whether its pixels are still to be inverted, because Pillow does not.
        is_deep_colour: whether it has 16-bit colour, of which Pillow gives the upper 8 bits.
    """

    image: Image.Image
    white_is_zero: bool = False
    is_deep_colour: bool = False


@contextmanager
def quiet_pillow() -> Iterator[None]:
    """Silences Pillow's warnings; entered once around many threads, because filters are global.

    It warns of large images, which are refused here, and of odd metadata, which change no pixel.
    """
    Image.init()  # not left to whichever thread comes first
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@contextmanager
def open_image(path: ReadableFile) -> Iterator[OpenedImage]:
    """The image in a file, its header read; called inside `quiet_pillow`.

    Errors inside the ``with`` block are raised as a DataError that names this file.

    Raises:
        DataError: where the file is missing, empty, no image that can be read, or damaged.
    """
    try:
        if not path.is_file():
            raise DataError(f"{path}: no such file; check the path")
        # Pillow reads bit by bit, and each time another thread may take Python's lock.
        with path.open("rb", buffering=_BUFFER_BYTES) as file:
            opened = _identified(file)
            with opened.image as image:
                if image.format == "TIFF":
                    _refuse_preview(path, file, image)
                yield opened
    except DataError:
        raise
    except UnidentifiedImageError as error:
        raise DataError(f"{path}: {why_not_read(path)}") from error
    except Image.DecompressionBombError as error:
        raise DataError(f"{path}: {_too_large('more')}") from error
    # Pillow's decoders raise about ten kinds of exception on damaged files.
    except Exception as error:
        if isinstance(error, OSError) and error.strerror:  # the system's, not a decoder's
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
        raise DataError(
            f"{path}: cannot be decoded: {str(error) or type(error).__name__}; "
            "the file is damaged: copy it again"
        ) from error


def is_deep(image: Image.Image) -> bool:
    """Whether an image is grey with more than 8 bits."""
    return image.mode.startswith("I")


def orientation(image: Image.Image) -> int:
    """Return the orientation of the EXIF tag; 1 is upright, and is returned without a tag."""
    value: int = image.getexif().get(_ORIENTATION_TAG, 1)
    return value


def upright_size(image: Image.Image) -> tuple[int, int]:
    """Width and height, by the header alone, of the image rotated upright."""
    # Pillow returns a TIFF's sizes already rotated.
    is_rotated = image.format != "TIFF" and orientation(image) in QUARTER_TURNS
    return image.size[::-1] if is_rotated else image.size


def has_more_frames(image: Image.Image) -> bool:
    """Whether a file holds pages or frames after the first, by its headers."""
    if image.format not in ("GIF", "PNG", "TIFF", "WEBP"):  # a telephone's JPEG holds a preview
        return False
    try:
        return bool(getattr(image, "is_animated", False))
    except Exception:  # what follows the first frame is damaged, and is not read
        return False


def require_decodable_header(path: ReadableFile, image: Image.Image) -> None:
    """Refuse, by its header, an image that is too large at any size that it can be decoded at."""
    if image.format not in ("JPEG", "MPO"):
        _require_at_most(path, image.size, MAX_PIXELS)
        return
    is_progressive = bool(image.info.get("progressive"))
    _require_at_most(
        path, image.size, _MAX_PROGRESSIVE_PIXELS if is_progressive else _MAX_JPEG_PIXELS
    )


def require_decodable(path: ReadableFile, image: Image.Image) -> None:
    """Refuse what is too large at the size that it is about to be decoded at."""
    _require_at_most(path, image.size, MAX_PIXELS)


def _refuse_preview(path: ReadableFile, file: BinaryIO, image: Image.Image) -> None:
    file.seek(0)
    if reason := refused_tiff(path, file.read(64), image.tag_v2):  # type: ignore[attr-defined]
        raise DataError(f"{path}: {reason}")


def _identified(file: BinaryIO) -> OpenedImage:
    try:
        image = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError:
        # Pillow goes by the header, at twice a limit of its own.
        file.seek(0)
        if file.read(3) != b"\xff\xd8\xff":
            raise
        file.seek(0)
        return OpenedImage(JpegImagePlugin.JpegImageFile(file))
    except UnidentifiedImageError:
        file.seek(0)
        is_tiff = file.read(4) in (b"II*\0", b"MM\0*")
        file.seek(0)
        content = with_black_as_zero(file.read()) if is_tiff else None
        if content is None:
            raise
        image = Image.open(io.BytesIO(content), formats=("TIFF",))
        if not is_deep(image):
            raise
        return OpenedImage(image, white_is_zero=True)
    if is_deep(image):
        is_tiff = image.format == "TIFF"
        inverted = is_tiff and image.tag_v2.get(_PHOTOMETRIC_TAG) == 0  # type: ignore[attr-defined]
        return OpenedImage(image, white_is_zero=inverted)
    if image.format in ("JPEG", "MPO"):
        return OpenedImage(image)
    return OpenedImage(image, is_deep_colour=";16" in str([tile.args for tile in image.tile]))


def _require_at_most(path: ReadableFile, size: tuple[int, int], most: int) -> None:
    width, height = size
    if width * height > most:
        raise DataError(f"{path}: {_too_large(f'{width}x{height} = {width * height}', most)}")


def _too_large(pixels: str, most: int = MAX_PIXELS) -> str:
    return f"at most {most} pixels are decoded, it has {pixels}; make it smaller first"
