import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.errors import ShapeError
from tellapart.ops import Window, add_windows, sliding_windows
from tellapart.ops.windows import crop_images, pad_images

WINDOWS = st.builds(
    Window.of,
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
    st.just(0),
    st.tuples(st.integers(1, 3), st.integers(1, 3)),
)


@given(WINDOWS, st.integers(7, 9), st.integers(7, 9))
@settings(max_examples=40, deadline=None)
def test_the_view_shows_the_pixels_of_its_definition(window: Window, height: int, width: int):
    images = torch.arange(2 * 3 * height * width).view(2, 3, height, width)
    windows = sliding_windows(images, window)
    assert windows.shape == (2, 3, *window.places(height, width), *window.size)
    *_, places_h, places_w, kernel_h, kernel_w = windows.shape
    for i, j in ((0, 0), (places_h - 1, places_w - 1)):
        for u, v in window.offsets:
            row = i * window.stride[0] + u * window.dilation[0]
            column = j * window.stride[1] + v * window.dilation[1]
            assert torch.equal(windows[:, :, i, j, u, v], images[:, :, row, column])
    assert len(window.offsets) == kernel_h * kernel_w


def test_the_view_copies_nothing_and_starts_where_the_images_start():
    memory = torch.arange(200.0)
    images = memory[20:].view(1, 5, 6, 6)[:, 1:4].permute(0, 1, 3, 2)
    windows = sliding_windows(images, Window.of((2, 3)))
    assert windows.data_ptr() == images.data_ptr()
    assert torch.equal(windows[0, 0, 0, 0], images[0, 0, :2, :3])


@given(WINDOWS, st.integers(7, 9), st.integers(7, 9), st.booleans())
@settings(max_examples=40, deadline=None)
def test_adding_windows_is_the_adjoint_of_the_view(
    window: Window, height: int, width: int, channels_last: bool
):
    generator = torch.Generator().manual_seed(0)
    images = torch.randn(2, 3, height, width, generator=generator, dtype=torch.float64)
    shown = sliding_windows(images, window)
    weights = torch.randn(shown.shape, generator=generator, dtype=torch.float64)
    if channels_last:
        weights = weights.permute(0, 2, 3, 4, 5, 1).contiguous().permute(0, 5, 1, 2, 3, 4)
    added = add_windows(weights, height, width, window)
    assert added.shape == images.shape
    # <A x, w> = <x, A' w> defines the adjoint.
    torch.testing.assert_close((shown * weights).sum(), (images * added).sum())


def test_half_windows_are_added_in_float32():
    windows = torch.full((1, 1, 300, 1, 1, 1), 1.0, dtype=torch.bfloat16)
    windows = windows.expand(1, 1, 300, 1, 300, 1)  # the middle pixel lies in 300 windows
    added = add_windows(windows, 599, 1, Window.of((300, 1)))
    assert added.dtype == torch.bfloat16
    assert added[0, 0, 299, 0] == 300  # 256 + 1 = 256 in bfloat16


@pytest.mark.parametrize("channels_last", [False, True])
def test_padding_and_cropping_undo_each_other_and_keep_the_layout(channels_last: bool):
    layout = torch.channels_last if channels_last else torch.contiguous_format
    images = torch.arange(48.0).view(2, 3, 2, 4).contiguous(memory_format=layout)
    padded = pad_images(images, (1, 2), value=-torch.inf)
    assert padded.shape == (2, 3, 4, 8)
    assert padded.is_contiguous(memory_format=layout)
    assert torch.isinf(padded).sum() == padded.numel() - images.numel()
    assert torch.equal(crop_images(padded, (1, 2)), images)
    assert pad_images(images, (0, 0)) is images


@given(
    size=st.integers(1, 4),
    stride=st.integers(1, 3),
    padding=st.integers(0, 2),
    dilation=st.integers(1, 3),
)
@settings(max_examples=40, deadline=None)
def test_places_agree_with_torch(size: int, stride: int, padding: int, dilation: int):
    image, kernel = torch.zeros(1, 1, 11, 13), torch.zeros(1, 1, size, size)
    expected = torch.nn.functional.conv2d(
        image, kernel, stride=stride, padding=padding, dilation=dilation
    )
    assert Window.of(size, stride, padding, dilation).places(11, 13) == expected.shape[2:]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Window.of(0), "kernel_size must be at least 1, got 0"),
        (lambda: Window.of(2, stride=(1, 0)), r"stride must be at least 1, got \(1, 0\)"),
        (lambda: Window.of(2, padding=-1), "padding must be at least 0, got -1"),
        (
            lambda: Window.of(2, dilation=1.5),
            r"dilation must be a whole number or a pair \(vertical, horizontal\), got 1.5",
        ),
        (
            lambda: Window.of((1, 2, 3)),
            r"kernel_size must be a whole number or a pair .*, got \(1, 2, 3\)",
        ),
        (lambda: Window.of((2, True)), r"kernel_size must be a whole number .*, got \(2, True\)"),
        (
            lambda: Window.of(3, dilation=2).places(4, 9),
            "a window that spans 5x5 pixels must fit the padded image, got 4x9; "
            "use a smaller kernel or more padding",
        ),
        (
            lambda: sliding_windows(torch.zeros(3, 3), Window.of(2)),
            r"images must be \(batch, channels, height, width\), got \(3, 3\)",
        ),
    ],
)
def test_what_is_refused(make, message: str):
    with pytest.raises(ShapeError, match=f"^{message}$"):
        make()
