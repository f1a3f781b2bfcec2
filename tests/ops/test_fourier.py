import torch

from tellapart.ops.fourier import Fourier
from tellapart.ops.windows import Window


def test_the_circle_does_not_leak_from_one_border_to_the_other():
    image = torch.zeros(1, 1, 6, 6)
    image[0, 0, 0, 0] = 1.0  # a kernel at the far corner would see it, were the image a circle
    outputs = Fourier().correlate(image, torch.ones(1, 1, 3, 3), Window.of(3), 1)
    expected = torch.zeros(4, 4)
    expected[0, 0] = 1.0
    torch.testing.assert_close(outputs[0, 0], expected)


def test_a_kernel_as_large_as_the_image():
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(2, 3, 9, 8, generator=generator, dtype=torch.float64)
    weight = torch.randn(4, 3, 9, 8, generator=generator, dtype=torch.float64)
    outputs = Fourier().correlate(image, weight, Window.of((9, 8)), 1)
    torch.testing.assert_close(outputs[..., 0, 0], image.flatten(1) @ weight.flatten(1).T)


def test_half_types_are_computed_in_float32_and_kept():
    image = torch.full((1, 1, 20, 20), 1.0, dtype=torch.bfloat16)
    outputs = Fourier().correlate(image, torch.ones_like(image), Window.of(20), 1)
    assert outputs.dtype == torch.bfloat16
    assert outputs.item() == 400
