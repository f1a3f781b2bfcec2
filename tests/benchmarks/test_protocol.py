import re
from collections import Counter

import pytest

from protocol import measured_on, peak_memory_bytes, taking_turns
from tellapart.errors import DataError


def test_every_run_is_taken_once_and_in_its_order():
    turns = taking_turns({"many": 7, "few": 3, "none": 0})
    assert Counter(name for name, _ in turns) == {"many": 7, "few": 3}
    for name in ("many", "few"):
        numbers = [number for taken, number in turns if taken == name]
        assert numbers == list(range(len(numbers)))


def test_equal_counts_alternate_in_the_order_of_their_names():
    assert taking_turns({"b": 2, "a": 2}) == [("b", 0), ("a", 0), ("b", 1), ("a", 1)]


def test_few_runs_are_spread_over_many():
    names = [name for name, _ in taking_turns({"many": 9, "few": 3})]
    # One in each third: a machine that slows down halfway slows both alike.
    assert [names[start : start + 4].count("few") for start in (0, 4, 8)] == [1, 1, 1]


def test_peak_memory_is_the_high_water_mark_in_bytes():
    status = "Name:\tpython\nVmPeak:\t  900 kB\nVmHWM:\t  12 kB\nVmRSS:\t  8 kB\n"
    assert peak_memory_bytes(status) == 12 * 1024


def test_a_system_that_reports_no_peak_is_refused():
    message = "peak memory is VmHWM in /proc/self/status, which is not there; use Linux"
    with pytest.raises(DataError, match=re.escape(message)):
        peak_memory_bytes("Name:\tpython\n")


def test_conditions_name_the_graphics_card_where_there_is_one():
    environment = {
        "processor": "AMD EPYC",
        "cores": 2,
        "threads": 1,
        "precision": "bf16",
        "python": "3.11.7",
        "torch": "2.13.0",
        "tellapart": "0.1.0",
        "commit": "abc",
        "command": "python benchmarks/peak.py",
    }
    assert measured_on(environment) == (
        "AMD EPYC, 2 cores, torch on 1 of them, bf16; Python 3.11.7, torch 2.13.0, "
        "tellapart 0.1.0, commit abc; `python benchmarks/peak.py`."
    )
    assert measured_on({**environment, "gpu": "H200"}).startswith("H200, 2 cores")
