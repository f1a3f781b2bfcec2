import pytest
import torch

from tellapart.ops.matrix_product import MatrixProduct
from tellapart.ops.windows import Window


@pytest.mark.parametrize("slab_bytes", [1, 20_000, 10**9])
@pytest.mark.parametrize("groups", [1, 2])
def test_the_size_of_the_slabs_changes_nothing(
    monkeypatch: pytest.MonkeyPatch, slab_bytes: int, groups: int
):
    generator = torch.Generator().manual_seed(0)
    images, weight, gradient = (
        torch.randn(shape, generator=generator, dtype=torch.float64)
        for shape in ((5, 4, 8, 8), (6, 4 // groups, 3, 3), (5, 6, 6, 6))
    )
    window = Window.of(3)

    def all_three() -> list[torch.Tensor]:
        form = MatrixProduct()
        return [
            form.correlate(images, weight, window, groups),
            form.image_gradient(gradient, weight, (8, 8), window, groups),
            form.weight_gradient(gradient, images, window, groups),
        ]

    expected = all_three()
    monkeypatch.setattr(MatrixProduct, "slab_bytes", slab_bytes)
    torch.testing.assert_close(all_three(), expected)


def test_the_weight_gradient_of_many_bfloat16_images_is_summed_in_float32(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(MatrixProduct, "slab_bytes", 1)  # one image per slab: 300 additions
    ones = torch.ones(300, 1, 1, 1, dtype=torch.bfloat16)
    total = MatrixProduct().weight_gradient(ones, ones, Window.of(1), 1)
    assert total.item() == 300  # 256 + 1 = 256 in bfloat16


def test_channels_lie_last_in_the_result():
    outputs = MatrixProduct().correlate(
        torch.ones(2, 3, 6, 6), torch.ones(4, 3, 3, 3), Window.of(3), 1
    )
    assert outputs.is_contiguous(memory_format=torch.channels_last)
