"""The edge detector finds edges, and nothing where there are none."""

import torch

from tellapart.explanation.edges import edge_maps


def test_a_step_has_the_sobel_magnitude_on_both_sides_and_nothing_elsewhere():
    images = torch.zeros(1, 3, 6, 8, dtype=torch.uint8)
    images[..., 4:] = 100
    maps = edge_maps(images)
    assert maps.shape == (1, 6, 8)
    assert (maps[..., 3:5] == 400).all()  # (1 + 2 + 1) * 100
    assert maps[..., :3].sum() == maps[..., 5:].sum() == 0


def test_a_plain_image_has_no_edges_at_its_border():
    assert edge_maps(torch.full((2, 1, 5, 5), 200, dtype=torch.uint8)).sum() == 0
