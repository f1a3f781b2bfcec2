"""Augmentation does what its formulas write, to images and labels alike, and draws from its own
generator only."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from tellapart.config import AugmentationRecipe
from tellapart.data import augment as module
from tellapart.data.augment import (
    add_noise,
    augment,
    elastic_displacement,
    erase,
    sampling_grid,
    veil,
)

GEOMETRIC = {
    "shift_pixels": 3.0,
    "rotation_degrees": 40.0,
    "scale": 0.5,
    "stretch": 0.3,
    "shear": 0.4,
    "elastic_pixels": 1.5,
    "flip_horizontal": 0.5,
    "flip_vertical": 0.5,
}
OTHERS = {
    "veil": 0.8,
    "noise": 0.3,
    "erase_probability": 0.5,
    "mixup_alpha": 0.4,
    "cutmix_alpha": 0.4,
}
EVERYTHING = GEOMETRIC | OTHERS
ALONE = [{name: value} for name, value in EVERYTHING.items()]
AFFINE = {name: value for name, value in GEOMETRIC.items() if name != "elastic_pixels"}
LARGEST_DRAW = 1 - 2**-24  # what torch.rand can come to in float32


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


def noise(batch=8, channels=1, height=6, width=9, seed=0):
    size = (batch, channels, height, width)
    return torch.randint(256, size, dtype=torch.uint8, generator=seeded(seed))


def varied(images, labels=None, seed=0, num_classes=10, **recipe):
    """The pictures and targets of a recipe; labels that nobody gave count through the classes."""
    labels = torch.arange(len(images)) % num_classes if labels is None else labels
    return augment(images, labels, num_classes, AugmentationRecipe(**recipe), seeded(seed))


@pytest.fixture
def fix_draws(monkeypatch):
    """Lets every uniform draw come out as told, so that what is made of it can be worked out."""

    def fix(values):
        def rand(*size, generator, device):
            return torch.tensor(values, dtype=torch.float32).expand(size).clone()

        monkeypatch.setattr(torch, "rand", rand)

    return fix


# Nothing, and nothing besides what was asked for.


def test_nothing_asked_for_gives_the_same_tensors_back():
    images, labels, generator = noise(), torch.arange(8), seeded()
    before = generator.get_state()
    same_images, same_labels = augment(images, labels, 8, AugmentationRecipe(), generator)
    assert same_images is images
    assert same_labels is labels
    assert torch.equal(generator.get_state(), before)


def test_nothing_is_on_by_default():
    # A mirrored letter or digit may mean another one: flips above all must be asked for.
    recipe = AugmentationRecipe()
    assert recipe.flip_horizontal == recipe.flip_vertical == 0
    assert not recipe.flips


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("recipe", [*ALONE, EVERYTHING], ids=lambda recipe: "-".join(recipe)[:20])
def test_images_keep_their_form_and_what_came_in_is_not_changed(recipe, channels):
    images, labels = noise(16, channels), torch.arange(16) % 10
    before = images.clone(), labels.clone()
    new, targets = varied(images, labels, **recipe)
    assert new.dtype == torch.uint8
    assert new.shape == images.shape
    assert not torch.equal(new, images)
    assert torch.equal(images, before[0])
    assert torch.equal(labels, before[1])
    if "mixup_alpha" in recipe or "cutmix_alpha" in recipe:
        assert targets.dtype == torch.float32
        assert targets.shape == (16, 10)
    else:
        assert targets is labels


@settings(max_examples=30, deadline=None)
@given(
    size=st.tuples(*[st.integers(1, 9)] * 4),
    fill=st.sampled_from(["edge", "black", "mirror"]),
    seed=st.integers(0, 1000),
)
def test_every_size_of_image_and_batch_can_be_varied(size, fill, seed):
    new, targets = varied(noise(*size), seed=seed, fill=fill, **EVERYTHING)
    assert new.shape == size
    assert torch.allclose(targets.sum(1), torch.ones(size[0]))


@pytest.mark.parametrize("recipe", [*ALONE, EVERYTHING], ids=lambda recipe: "-".join(recipe)[:20])
def test_the_generator_alone_decides(recipe):
    images, before = noise(32), torch.get_rng_state()
    first, again, other = (varied(images, seed=seed, **recipe)[0] for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)


# The sampling grid.


def identity_grid(batch, height, width):
    """Every pixel's centre, in -1..1, left and right edges of the picture being -1 and 1."""
    x, y = (torch.tensor([(2 * i + 1) / side - 1 for i in range(side)]) for side in (width, height))
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=-1).expand(batch, -1, -1, -1)


def documented_theta(recipe, draw, height, width):
    """``old = R(turn) S(shear) D(scale, flip) new + shift`` in pixels, then in grid units."""
    side = 2 * draw - 1
    turn, shear = side * math.radians(recipe.rotation_degrees), side * recipe.shear
    scale = (1 + recipe.scale) ** side
    stretched = scale * (1 + recipe.stretch) ** side
    flip_x = -1 if draw < recipe.flip_horizontal else 1
    flip_y = -1 if draw < recipe.flip_vertical else 1
    rotation = torch.tensor(
        [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]], dtype=torch.float64
    )
    slant = torch.tensor([[1, shear], [0, 1]], dtype=torch.float64)
    stretch = torch.tensor([[scale * flip_x, 0], [0, stretched * flip_y]], dtype=torch.float64)
    shift = torch.full((2, 1), side * recipe.shift_pixels, dtype=torch.float64)
    pixels = torch.tensor([width / 2, height / 2], dtype=torch.float64)  # per grid unit
    linear = rotation @ slant @ stretch * pixels / pixels[:, None]
    return torch.cat([linear, shift / pixels[:, None]], dim=1)  # (2, 3)


@pytest.mark.parametrize("size", [(8, 8), (5, 12), (12, 5), (1, 1)])
def test_the_grid_of_no_change_is_the_identity(size):
    grid = sampling_grid((3, 1, *size), AugmentationRecipe(), seeded())
    assert torch.allclose(grid, identity_grid(3, *size), atol=1e-6)


@pytest.mark.parametrize("size", [(8, 8), (7, 20), (20, 7)])
@pytest.mark.parametrize(
    "recipe", [{}, *({n: v} for n, v in AFFINE.items()), AFFINE], ids=lambda r: "-".join(r)[:20]
)
def test_the_grid_is_the_documented_formula(fix_draws, recipe, size):
    draws = [0.0, 0.1, 0.4, 0.5, 0.75, LARGEST_DRAW]
    fix_draws(draws)
    recipe = AugmentationRecipe(**recipe)
    grid = sampling_grid((len(draws), 1, *size), recipe, seeded())
    theta = torch.stack([documented_theta(recipe, draw, *size) for draw in draws])
    wanted = functional.affine_grid(theta, [len(draws), 1, *size], align_corners=False)
    assert torch.allclose(grid.double(), wanted, atol=1e-5)


@settings(max_examples=50, deadline=None)
@given(size=st.tuples(*[st.integers(1, 40)] * 2), seed=st.integers(0, 1000))
def test_the_fast_affine_grid_is_the_one_of_torch(size, seed):
    theta = torch.randn(4, 2, 3, generator=seeded(seed))
    wanted = functional.affine_grid(theta, [4, 1, *size], align_corners=False)
    grid = module._affine_grid(theta, *size)
    assert grid.shape == wanted.shape
    assert torch.allclose(grid, wanted, rtol=0, atol=1e-5)


def drawn_parameters(recipe, batch, height, width):
    """What was drawn, read back from the grid: each (batch,). Flips must be off."""
    grid = sampling_grid((batch, 1, height, width), recipe, seeded()).double()
    grid *= torch.tensor([width / 2, height / 2])
    column_x = grid[:, 0, 1] - grid[:, 0, 0]  # (batch, 2): where one step to the right leads
    column_y = grid[:, 1, 0] - grid[:, 0, 0]
    turn = torch.atan2(column_x[:, 1], column_x[:, 0])
    across = torch.stack([-turn.sin(), turn.cos()], dim=1)
    scale_x, scale_y = column_x.norm(dim=1), (column_y * across).sum(1)
    return {
        "turn": turn.rad2deg(),
        "log scale": scale_x.log(),
        "log stretch": (scale_y / scale_x).log(),
        "shear": (column_y * across.flip(1) * torch.tensor([1, -1])).sum(1) / scale_y,
        "shift x": grid[:, :, :, 0].mean((1, 2)),
        "shift y": grid[:, :, :, 1].mean((1, 2)),
    }


def test_draws_fill_their_limits_evenly_and_independently():
    recipe = AugmentationRecipe(
        rotation_degrees=30, scale=0.5, stretch=0.3, shear=0.4, shift_pixels=2.5
    )
    drawn = drawn_parameters(recipe, 2000, 6, 10)
    limits = {
        "turn": 30,
        "log scale": math.log(1.5),
        "log stretch": math.log(1.3),
        "shear": 0.4,
        "shift x": 2.5,
        "shift y": 2.5,
    }
    for name, limit in limits.items():
        fractions = drawn[name] / limit
        assert 0.98 < fractions.max() < 1 + 1e-4, name
        assert -1 - 1e-4 < fractions.min() < -0.98, name
        # Uniform in -1..1: std sqrt(1/3); of the mean sqrt(1/3/2000) = 0.013.
        assert fractions.mean().abs() < 0.06, name
        assert fractions.std() == pytest.approx(math.sqrt(1 / 3), rel=0.05), name
    # Of 15 correlations of 2000 independent draws, std 0.022.
    correlations = torch.corrcoef(torch.stack([drawn[name] for name in limits]))
    assert (correlations - torch.eye(len(limits))).abs().max() < 0.1


def test_a_scale_is_within_its_limits_and_the_same_in_both_directions():
    drawn = drawn_parameters(AugmentationRecipe(scale=0.25), 500, 6, 10)
    scale = drawn["log scale"].exp()
    assert 1 / 1.25 - 1e-5 < scale.min() < 0.81
    assert 1.24 < scale.max() < 1.25 + 1e-5
    assert drawn["log stretch"].abs().max() < 1e-5


def test_a_turn_stays_a_turn_where_images_are_not_square():
    height, width = 5, 20
    grid = sampling_grid((50, 1, height, width), AugmentationRecipe(rotation_degrees=90), seeded())
    pixels = grid * torch.tensor([width / 2, height / 2])
    right, down = pixels[:, 0, 1] - pixels[:, 0, 0], pixels[:, 1, 0] - pixels[:, 0, 0]
    # Steps keep their length, stay at a right angle, and are not mirrored.
    assert torch.allclose(right.norm(dim=1), torch.ones(50), atol=1e-4)
    assert torch.allclose(down, torch.stack([-right[:, 1], right[:, 0]], dim=1), atol=1e-4)
    assert torch.allclose(pixels.mean((1, 2)), torch.zeros(50, 2), atol=1e-4)


# Pictures.


def test_a_quarter_turn_is_one(fix_draws):
    fix_draws(LARGEST_DRAW)
    images = noise(4, 3, 6, 10)
    new, _ = varied(images, rotation_degrees=90)
    assert torch.equal(new[..., 2:8], torch.rot90(images[..., 2:8], dims=(2, 3)))


@pytest.mark.parametrize(("draw", "pixels"), [(0.0, 2), (1.0, 2), (0.0, 1), (1.0, 3)])
@pytest.mark.parametrize("fill", ["edge", "black", "mirror"])
def test_a_shift_by_whole_pixels_moves_exactly_and_fills_as_told(fix_draws, draw, pixels, fill):
    fix_draws(draw)
    images = noise(4, 3, 6, 9)
    new, _ = varied(images, shift_pixels=pixels, fill=fill)

    def old(side):
        """Where each new row or column comes from, and whether that is inside."""
        index = torch.arange(side) + (pixels if draw else -pixels)
        inside = (index >= 0) & (index < side)
        if fill == "mirror":  # the edge itself is the mirror: its pixels come twice
            index = torch.where(index < 0, -1 - index, index)
            index = torch.where(index >= side, 2 * side - 1 - index, index)
        return index.clamp(0, side - 1), inside

    (rows, rows_inside), (columns, columns_inside) = old(6), old(9)
    wanted = images[:, :, rows][:, :, :, columns]
    if fill == "black":
        wanted = wanted * (rows_inside[:, None] & columns_inside)
    assert torch.equal(new, wanted)


def test_an_image_shrunk_to_half_is_the_mean_of_four_pixels(fix_draws):
    fix_draws(1.0)
    images = noise(4, 3, 8, 12)
    new, _ = varied(images, scale=1, fill="black")
    wanted = functional.pad(functional.avg_pool2d(images.float(), 2), (3, 3, 2, 2))
    assert (new - wanted).abs().max() <= 0.5 + 1e-3
    assert new[:, :, :2].eq(0).all()
    assert new[:, :, :, :3].eq(0).all()


def test_sampled_values_are_rounded_and_not_cut(fix_draws):
    # Half a pixel between 10 and 13 is 11.5; a quarter of one 10.75, which cut would be 10.
    fix_draws(1.0)
    images = torch.tensor([10, 13], dtype=torch.uint8).expand(1, 1, 2, 2)
    new, _ = varied(images, shift_pixels=0.25)
    assert new[0, 0].tolist() == [[11, 13]] * 2


def test_nearest_shifts_by_whole_pixels_each_as_often():
    images = noise(3000, 1, 5, 5)
    new, _ = varied(images, shift_pixels=1.5, interpolation="nearest")
    padded = functional.pad(images.float(), (1, 1, 1, 1), mode="replicate").byte()
    found = torch.stack(
        [
            (new == padded[:, :, row : row + 5, column : column + 5]).all((1, 2, 3))
            for row in range(3)
            for column in range(3)
        ]
    )
    assert (found.sum(0) == 1).all()
    # 333 of each; deviations at most sqrt(3000 * 1/9 * 8/9) = 17.
    assert (found.sum(1) - 333).abs().max() < 70


@pytest.mark.parametrize(("background", "line"), [(200, 0), (55, 255), (250, 0), (5, 255)])
def test_bicubic_keeps_a_line_sharper_than_bilinear_and_in_range(fix_draws, background, line):
    fix_draws(0.75)  # half a pixel
    row = [background] * 3 + [line] + [background] * 3
    images = torch.tensor(row, dtype=torch.uint8).expand(1, 1, 7, 7)
    linear, _ = varied(images, shift_pixels=1)
    cubic, _ = varied(images, shift_pixels=1, interpolation="bicubic")
    # 19/32 of each neighbour and -3/32 of those behind them (Keys 1981, with a = -3/4).
    half, overshoot = (line + background) / 2, 3 / 32 * (line - background)
    beside = min(255, max(0, background - overshoot))
    wanted = [half, half], [beside, half + overshoot, half + overshoot, beside]
    assert linear[0, 0, 3, 2:4].tolist() == pytest.approx(wanted[0], abs=0.51)
    assert cubic[0, 0, 3, 1:5].tolist() == pytest.approx(wanted[1], abs=0.51)


@pytest.mark.parametrize("size", [(6, 8), (5, 7), (6, 7), (1, 1), (28, 224)])
def test_flips_are_exact(size):
    images = noise(4, 3, *size)
    assert torch.equal(varied(images, flip_horizontal=1)[0], images.flip(3))
    assert torch.equal(varied(images, flip_vertical=1)[0], images.flip(2))
    both, _ = varied(images, flip_horizontal=1, flip_vertical=1)
    assert torch.equal(both, images.flip(2, 3))


def test_flips_come_as_often_as_asked_for_and_independently():
    image = torch.tensor([[0, 1], [2, 3]], dtype=torch.uint8)
    new, _ = varied(image.expand(2000, 1, 2, 2), flip_horizontal=0.5, flip_vertical=0.25)
    # The top left pixel tells which: 0 none, 1 horizontal, 2 vertical, 3 both.
    counts = new[:, 0, 0, 0].long().bincount(minlength=4)
    # Deviations at most sqrt(2000 * 0.375 * 0.625) = 22.
    assert (counts - torch.tensor([750, 750, 250, 250])).abs().max() < 90


def test_an_image_is_resampled_once_however_much_is_asked_for(monkeypatch):
    calls, original = [], functional.grid_sample

    def counting(*args, **options):
        calls.append(args[0].shape)
        return original(*args, **options)

    monkeypatch.setattr(module, "grid_sample", counting)
    monkeypatch.setattr(functional, "grid_sample", counting)
    varied(noise(8, 3), **EVERYTHING)
    assert calls == [(8, 3, 6, 9)]
    varied(noise(8, 3), **OTHERS)
    assert len(calls) == 1


# The elastic displacement.


def elastic_in_pixels(pixels, batch=500, height=25, width=41, seed=0):
    field = elastic_displacement((batch, 1, height, width), pixels, seeded(seed))
    assert field.shape == (batch, height, width, 2)
    return field * torch.tensor([width / 2, height / 2])


def test_an_elastic_displacement_is_about_as_large_as_asked_for():
    field = elastic_in_pixels(2.0)
    # The corners are nodes: 4000 draws of std 2. Between nodes means of draws vary less.
    assert field[:, ::24, ::40].std() == pytest.approx(2.0, rel=0.06)
    for direction in (0, 1):
        # Two thirds over all of a picture, a little more on one of few pixels.
        assert field[..., direction].std() == pytest.approx(2 * 0.683, rel=0.05)
    assert (field.std(0) < 2 * 1.15).all()
    # 500 draws: std of a mean at most 2 / sqrt(500) = 0.09.
    assert field.mean(0).abs().max() < 0.45
    assert torch.allclose(elastic_in_pixels(4.0), 2 * field)


def test_an_elastic_displacement_is_smooth():
    # Four spans from edge to edge: a step of one pixel is 4 / (side - 1) of the difference of two
    # nodes, whose std is sqrt(2). Independent pixels would differ by sqrt(2) each.
    field = elastic_in_pixels(1.0)
    assert field.diff(dim=1).std() < 1.05 * math.sqrt(2) * 4 / 24
    assert field.diff(dim=2).std() < 1.05 * math.sqrt(2) * 4 / 40
    # And yet it is no mere shift: from one edge to the other nothing is left in common.
    edges = torch.stack([field[:, :, 0].flatten(), field[:, :, -1].flatten()])
    assert torch.corrcoef(edges)[0, 1].abs() < 0.1
    directions = torch.corrcoef(field.flatten(0, 2).T)
    assert directions[0, 1].abs() < 0.1


def test_the_elastic_displacement_is_added_to_the_grid(fix_draws):
    fix_draws(0.5)  # the middle of every limit: nothing else moves
    shape = (4, 1, 6, 9)
    grid = sampling_grid(shape, AugmentationRecipe(elastic_pixels=1.5), seeded())
    wanted = identity_grid(4, 6, 9) + elastic_displacement(shape, 1.5, seeded())
    assert torch.allclose(grid, wanted, atol=1e-6)


# Erasing.


def checks(batch, height, width):
    """Pictures of two values, of which neither is the mean of its channel: (batch, 3, ...)."""
    board = (torch.arange(height)[:, None] + torch.arange(width)) % 2
    highest = torch.tensor([100, 160, 240]).view(3, 1, 1)
    return (board * highest).to(torch.uint8).expand(batch, -1, -1, -1)


def sides_of_rectangles(changed):
    """Height and width of what is True in each (height, width); fails where no rectangle is."""
    sides = []
    for one in changed:
        rows, columns = one.any(1), one.any(0)
        assert torch.equal(one, rows[:, None] & columns)
        for line in (rows, columns):
            where = line.nonzero().flatten()
            assert len(where) == 0 or where[-1] - where[0] + 1 == len(where)
        sides.append((int(rows.sum()), int(columns.sum())))
    return sides


@pytest.mark.parametrize(
    ("fraction", "size"),
    [
        (0.25, (12, 20)),
        (0.0625, (12, 20)),
        (0.25, (28, 28)),
        (1.0, (5, 7)),
        (0.25, (5, 7)),
        (0.1, (32, 32)),
    ],
)
def test_what_is_erased_is_a_rectangle_of_at_most_its_fraction(fraction, size):
    images = checks(400, *size)
    new = erase(images, 1.0, fraction, seeded())
    changed = (new != images).all(1)
    # All channels of a pixel or none.
    assert torch.equal(changed, (new != images).any(1))
    areas = [height * width for height, width in sides_of_rectangles(changed)]
    assert min(areas) >= 1
    assert max(areas) == math.prod(int(fraction**0.5 * side) for side in size)
    assert max(areas) <= fraction * math.prod(size)
    assert len(set(areas)) > 4


def test_erased_rectangles_are_tall_and_wide_independently():
    images = checks(1000, 20, 20)
    sides = sides_of_rectangles((erase(images, 1.0, 1.0, seeded()) != images).any(1))
    # Deviation of a correlation of 1000 draws: 0.03.
    assert torch.corrcoef(torch.tensor(sides).float().T)[0, 1].abs() < 0.13


def test_what_is_erased_holds_the_mean_of_the_image():
    images = noise(50, 3, 8, 10)
    new = erase(images, 1.0, 1.0, seeded())
    mean = images.float().mean((2, 3), keepdim=True).round()
    changed = (new != images).any(1, keepdim=True)
    assert torch.equal(new, torch.where(changed, mean, images).to(torch.uint8))


def test_erased_rectangles_lie_inside_and_get_everywhere(fix_draws):
    images = checks(2000, 6, 10)
    often = (erase(images, 1.0, 0.25, seeded()) != images).any(1).float().mean(0)
    assert often.min() > 0
    # No side is preferred. Shares of 2000 have a std of at most 0.011.
    assert (often - often.flip(0)).abs().max() < 0.07
    assert (often - often.flip(1)).abs().max() < 0.07
    # The largest at the last place: a whole 3 by 5, in the corner, not cut by it.
    fix_draws(LARGEST_DRAW)
    changed = (erase(images[:1], 1.0, 0.25, seeded()) != images[:1]).any(1)[0]
    wanted = torch.zeros(6, 10, dtype=torch.bool)
    wanted[3:, 5:] = True
    assert torch.equal(changed, wanted)


@pytest.mark.parametrize("probability", [0.0, 0.3, 1.0])
def test_images_are_erased_as_often_as_asked_for(probability):
    images, labels = checks(2000, 4, 6), torch.arange(2000) % 10
    new, targets = varied(images, labels, erase_probability=probability, erase_fraction=0.5)
    assert torch.equal(new, erase(images, probability, 0.5, seeded()))
    erased = (new != images).flatten(1).any(1).float().mean()
    # Deviation sqrt(0.3 * 0.7 / 2000) = 0.010, and none where it is never or always.
    assert abs(erased - probability) <= (0.05 if 0 < probability < 1 else 0)
    assert targets is labels


def test_a_veil_lowers_the_contrast_of_half_of_the_images():
    images = (torch.arange(256).view(1, 1, 16, 16) * torch.ones(2000, 1, 1, 1)).to(torch.uint8)
    new = veil(images, 0.8, seeded())
    veiled = (new != images).flatten(1).any(1)
    assert abs(float(veiled.float().mean()) - 0.5) < 0.05
    # The weight is even up to 0.8, so the contrast that is left is 0.6 on average, at least 0.2.
    left = new.double().flatten(1).amax(1) - new.double().flatten(1).amin(1)
    assert float(left[veiled].min()) > 0.15 * 255
    assert torch.equal(varied(images, veil=0.8)[0], new)


def test_an_even_veil_is_the_blend_that_the_formula_writes(fix_draws):
    fix_draws(0.25)  # a weight of 0.2, and a grey of 0.25 whether even or not
    new = veil(torch.full((3, 2, 6, 6), 200, dtype=torch.uint8), 0.8, seeded())
    assert set(new.unique().tolist()) == {round(200 * 0.8 + 255 * 0.2 * 0.25)}


def test_noise_has_stds_up_to_the_largest_on_half_of_the_images():
    images = torch.full((1000, 1, 24, 24), 128, dtype=torch.uint8)
    std = add_noise(images, 0.2, seeded()).double().flatten(1).std(1) / 255
    assert abs(float((std > 0).double().mean()) - 0.5) < 0.06
    assert 0.18 < float(std.max()) < 0.22
    assert abs(float(std[std > 0].mean()) - 0.1) < 0.01


# Mixing.


def lit_by_class(labels):
    """Pictures of 3 channels of which that of the class is 255: pixels then say the shares."""
    hot = functional.one_hot(labels, 3) * 255
    return hot.to(torch.uint8)[:, :, None, None].expand(-1, -1, 6, 10).contiguous()


def test_mixup_gives_labels_the_shares_of_the_pixels():
    labels = torch.arange(300) % 3
    new, targets = varied(lit_by_class(labels), labels, num_classes=3, mixup_alpha=1)
    assert torch.allclose(targets.sum(1), torch.ones(300))
    assert torch.equal(new, new[:, :, :1, :1].expand_as(new))
    assert (new[:, :, 0, 0] - 255 * targets).abs().max() <= 0.5 + 1e-3
    # Every picture has a share of its own, drawn from Beta(1, 1), which is uniform.
    kept = targets[torch.arange(300), labels]
    kept = kept[kept < 1 - 1e-6]
    assert len(kept.unique()) > 150
    assert kept.mean() == pytest.approx(0.5, abs=0.08)


def test_cutmix_gives_labels_the_counted_shares():
    labels = torch.arange(20)
    places = torch.arange(60).view(6, 10).expand(20, 6, 10)
    images = torch.stack([places, labels.view(-1, 1, 1).expand(20, 6, 10)], dim=1).to(torch.uint8)
    cut, most_kinds = 0, 0
    for seed in range(10):
        new, targets = varied(images, labels, seed=seed, num_classes=20, cutmix_alpha=1)
        # The first channel says where a pixel was: it is there still.
        assert torch.equal(new[:, 0], images[:, 0])
        counted = functional.one_hot(new[:, 1].long(), 20).float().mean((1, 2))
        assert torch.allclose(targets, counted, atol=1e-6)
        sides = sides_of_rectangles(new[:, 1] != images[:, 1])
        cut += sum(height * width > 0 for height, width in sides)
        most_kinds = max(most_kinds, len(set(sides)))
    assert cut > 150
    assert most_kinds > 10  # every picture has a rectangle of its own


def test_cutmix_pastes_shares_of_its_beta():
    labels = torch.arange(2000)
    _, targets = varied(noise(2000, 1, 28, 28), labels, num_classes=2000, cutmix_alpha=1)
    kept = targets.diag()
    # Uniform: mean 1/2 with a std of 0.0065, and a tenth in each tenth but for rounding.
    assert kept.mean() == pytest.approx(0.5, abs=0.03)
    assert (kept < 0.25).float().mean() == pytest.approx(0.25, abs=0.05)
    assert (kept > 0.75).float().mean() == pytest.approx(0.25, abs=0.05)


@pytest.mark.parametrize("kind", ["mixup_alpha", "cutmix_alpha"])
def test_every_image_is_partner_once(kind):
    labels = torch.arange(30)
    _, targets = varied(noise(30, 1, 20, 20), labels, num_classes=30, **{kind: 4})
    theirs = targets - torch.diag(targets.diag())
    partners = theirs.argmax(1)[theirs.sum(1) > 0]
    assert len(partners) > 20
    assert len(partners.unique()) == len(partners)


def test_of_mixup_and_cutmix_a_coin_decides_for_the_whole_batch():
    labels = torch.arange(12) % 3
    blended = []
    for seed in range(200):
        new, targets = varied(
            lit_by_class(labels), labels, seed, num_classes=3, mixup_alpha=1, cutmix_alpha=1
        )
        assert torch.allclose(targets, new.float().mean((2, 3)) / 255, atol=0.5 / 255 + 1e-5)
        constant = bool((new == new[:, :, :1, :1]).all())
        # Only a blend has other values than 0 and 255, and it has them all over the picture.
        blended.append(not ((new == 0) | (new == 255)).all())
        assert constant or not blended[-1]
    # Deviation sqrt(200) / 2 = 7.
    assert 65 < sum(blended) < 135


def test_targets_are_of_all_classes_of_the_data_set():
    # Of 7 classes only two are in the batch.
    _, targets = varied(noise(4), torch.tensor([1, 5, 1, 5]), num_classes=7, mixup_alpha=1)
    assert targets.shape == (4, 7)
    assert targets[:, [0, 2, 3, 4, 6]].eq(0).all()


@pytest.mark.parametrize(
    "alpha",
    [
        0.01,
        0.2,
        1.0,
        4.0,
    ],
)
def test_beta_has_the_moments_of_beta(alpha):
    drawn = module._beta(alpha, 20_000, seeded())
    assert drawn.shape == (20_000,)
    # Strictly between 0 and 1, but where alpha is so small that float32 rounds to them.
    assert 0 <= drawn.min() <= drawn.max() <= 1
    assert alpha < 1 or 0 < drawn.min() < drawn.max() < 1
    assert drawn.mean() == pytest.approx(0.5, abs=0.015)
    assert drawn.var() == pytest.approx(1 / (4 * (2 * alpha + 1)), rel=0.04)
    assert torch.equal(drawn, module._beta(alpha, 20_000, seeded()))
