"""A schedule's curve goes through the points that its recipe names."""

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tellapart.config import ScheduleRecipe
from tellapart.training.schedule import Schedule


def rates(rate=0.1, steps_per_epoch=10, num_epochs=8, **recipe):
    schedule = Schedule(ScheduleRecipe(**recipe), rate, steps_per_epoch, num_epochs)
    return [schedule.at(step) for step in range(steps_per_epoch * num_epochs + 1)]


def test_constant_stays():
    assert set(rates(name="constant")) == {0.1}


def test_step_steps_between_epochs_and_nowhere_else():
    curve = rates(name="step", step_epochs=3, step_factor=0.5)
    assert curve[:30] == [0.1] * 30
    assert curve[30:60] == [0.05] * 30
    assert curve[60:80] == [0.025] * 20


@pytest.mark.parametrize("final", [0.0, 0.1, 1.0])
def test_cosine_goes_from_the_highest_to_the_last_rate(final):
    curve = rates(name="cosine", final_factor=final)
    assert curve[0] == 0.1
    assert curve[40] == pytest.approx(0.1 * (1 + final) / 2)
    assert curve[20] == pytest.approx(0.1 * (final + (1 - final) * (1 + math.sqrt(0.5)) / 2))
    assert curve[80] == pytest.approx(0.1 * final, abs=1e-15)
    assert all(later <= earlier for earlier, later in pairwise(curve))


def test_cosine_takes_its_last_step_above_the_last_rate():
    # At a rate of 0 the last step would do nothing.
    assert rates(name="cosine")[79] > 0


def test_one_cycle_rises_then_falls():
    curve = rates(name="one-cycle", warmup_fraction=0.25, initial_factor=0.04, final_factor=0.01)
    assert curve[0] == pytest.approx(0.1 * 0.04)
    assert curve[10] == pytest.approx(0.1 * 0.52)
    assert curve[20] == pytest.approx(0.1)
    assert curve[50] == pytest.approx(0.1 * (1 + 0.01) / 2)
    assert curve[80] == pytest.approx(0.1 * 0.01)
    assert max(curve) == curve[20]
    rising, falling = curve[:21], curve[20:]
    assert all(a < b for a, b in pairwise(rising))
    assert all(a > b for a, b in pairwise(falling))
    differences = [b - a for a, b in pairwise(rising)]
    assert max(differences) == pytest.approx(min(differences))  # a straight line up


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from(["constant", "step", "cosine", "one-cycle"]),
    fraction=st.floats(0.001, 0.999),
    factors=st.tuples(st.floats(0.001, 1), st.floats(0, 1)),
    size=st.tuples(st.integers(1, 50), st.integers(1, 9)),
)
def test_every_rate_is_finite_and_between_0_and_the_highest(name, fraction, factors, size):
    curve = rates(
        0.3,
        *size,
        name=name,
        warmup_fraction=fraction,
        initial_factor=factors[0],
        final_factor=factors[1],
        step_epochs=2,
        step_factor=factors[0],
    )
    assert all(0 <= rate <= 0.3 * (1 + 1e-12) for rate in curve)


@pytest.mark.parametrize("name", ["constant", "step", "cosine", "one-cycle"])
def test_a_run_of_one_step_takes_it(name):
    assert rates(0.1, 1, 1, name=name)[0] > 0
