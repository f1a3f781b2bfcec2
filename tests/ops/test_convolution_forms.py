import pytest
import torch

from tellapart.ops.convolution_forms import Form, Loops, Windows
from tellapart.ops.fourier import Fourier
from tellapart.ops.matrix_product import MatrixProduct
from tellapart.ops.windows import Window

FORMS = [Loops(), Windows(), MatrixProduct(), Fourier()]


def _names(form: Form) -> str:
    return type(form).__name__


@pytest.mark.parametrize("form", FORMS, ids=_names)
def test_the_three_maps_are_one_sum_collected_in_three_places(form: Form):
    """<y(x, w), g> = <x, image gradient> = <w, weight gradient>: the sum is bilinear."""
    generator = torch.Generator().manual_seed(0)
    images, weight, gradient = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((2, 4, 6, 7), (6, 2, 2, 3), (2, 6, 3, 3))
    )
    window, groups = Window.of((2, 3), stride=(2, 1), dilation=(1, 2)), 2
    outputs = form.correlate(images, weight, window, groups)
    to_images = form.image_gradient(gradient, weight, (6, 7), window, groups)
    to_weight = form.weight_gradient(gradient, images, window, groups)
    total = (outputs * gradient).sum()
    torch.testing.assert_close((images * to_images).sum(), total)
    torch.testing.assert_close((weight * to_weight).sum(), total)


@pytest.mark.parametrize("form", FORMS, ids=_names)
def test_the_worked_example(form: Form):
    image = torch.arange(1.0, 10.0).view(1, 1, 3, 3)
    ones = torch.ones(1, 1, 2, 2)
    window = Window.of(2)
    expect = torch.testing.assert_close
    expect(form.correlate(image, ones, window, 1)[0, 0], torch.tensor([[12.0, 16], [24, 28]]))
    expect(
        form.image_gradient(ones, ones, (3, 3), window, 1)[0, 0],
        torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]),
    )
    expect(form.weight_gradient(ones, image, window, 1)[0, 0], torch.tensor([[12.0, 16], [24, 28]]))
