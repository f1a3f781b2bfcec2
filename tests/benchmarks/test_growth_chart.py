import re
from xml.etree import ElementTree

from growth_chart import growth_chart

SVG = "{http://www.w3.org/2000/svg}"


def row(num_images, microseconds, peak):
    return {
        "num_images": num_images,
        "microseconds_per_image": {"mean": microseconds, "std": 0.0, "n": 1},
        "peak_mib": {"mean": peak, "std": 0.0, "n": 1},
        "image_mib": 784 * num_images / 2**20,
    }


ROWS = [row(10_000, 100, 300), row(60_000, 100, 350), row(960_000, 100, 1100)]


def heights(chart, class_):
    root = ElementTree.fromstring(chart)
    lines = root.iter(f"{SVG}polyline")
    traces = [line for line in lines if line.get("class") == f"line {class_}"]
    points = max((line.get("points").split() for line in traces), key=len)
    return [float(point.split(",")[1]) for point in points]


def test_a_cost_that_does_not_grow_is_a_level_line_below_the_top():
    root = ElementTree.fromstring(growth_chart(ROWS))
    line = next(iter(root.iter(f"{SVG}polyline")))
    up = [float(point.split(",")[1]) for point in line.get("points").split()]
    assert len(up) == 3
    assert len(set(up)) == 1
    # 100 of 0..100: the axis begins at 0, and 236 is its lower end.
    assert up[0] == 40


def test_memory_rises_with_the_pictures():
    second = heights(growth_chart(ROWS), "second")
    assert len(second) == 3
    assert second == sorted(second, reverse=True)


def test_rows_may_come_in_any_order():
    assert growth_chart(ROWS[::-1]) == growth_chart(ROWS)


def test_the_sizes_are_named_on_the_axis():
    chart = growth_chart(ROWS)
    for label in ("10k", "60k", "960k"):
        assert chart.count(f">{label}</text>") == 2


def test_it_carries_its_own_colours_for_light_and_dark():
    chart = growth_chart(ROWS)
    assert "prefers-color-scheme: dark" in chart
    used = set(re.findall(r"var\((--[a-z]+)\)", chart))
    assert used <= set(re.findall(r"(--[a-z]+): #", chart))


def test_it_describes_in_words_what_it_shows():
    assert (
        "With 10,000 to 960,000 pictures, training takes 100.0 to 100.0 microseconds per picture, "
        "and peak memory grows from 300 to 1100 MiB."
    ) in growth_chart(ROWS)


def test_one_size_alone_can_be_drawn():
    ElementTree.fromstring(growth_chart(ROWS[:1]))
