import multiprocessing
import subprocess
import sys

import pytest

import company
from company import CHOSEN, SETTINGS, beside, ratios, results_block, run_once, verdict

MACHINE = {
    "processor": "AMD EPYC",
    "cores": 2,
    "threads": 2,
    "precision": "bf16",
    "python": "3.11.7",
    "torch": "2.13.0",
    "tellapart": "0.1.0",
    "commit": "abc",
    "command": "python benchmarks/company.py",
}


def measured(times):
    """A task's results from its times by setting and company; a command takes two seconds more."""
    runs = [
        {"setting": setting, "company": name, "train_seconds": t, "command_seconds": t + 2}
        for (setting, name), several in times.items()
        for t in several
    ]
    return {"runs": runs, "environment": MACHINE}


FAST = {
    ("unset", "alone"): [1.5, 1.4, 9.0],
    ("unset", "training"): [6.0, 12.0, 17.0],
    (CHOSEN, "alone"): [1.6, 1.2, 1.6],
    (CHOSEN, "busy thread"): [2.4, 3.2, 3.6],
    (CHOSEN, "training"): [2.4, 2.4, 2.4],
}


def test_ratios_are_of_medians_and_of_the_worse_company():
    assert ratios(measured(FAST), CHOSEN) == pytest.approx((1.6 / 1.5, 3.2 / 1.6))
    assert ratios(measured(FAST), "unset") == pytest.approx((1.0, 12.0 / 1.5))
    assert ratios(measured(FAST), "one thread") == (None, None)


@pytest.mark.parametrize(
    ("changed", "holds"),
    [
        ({}, True),
        ({(CHOSEN, "alone"): [1.7]}, False),
        ({(CHOSEN, "training"): [4.1]}, False),
    ],
    ids=["within", "slow in quiet", "slow in company"],
)
def test_the_verdict_holds_the_choice_to_both_limits(changed, holds):
    line = verdict({"fast": measured({**FAST, **changed})})
    assert ("stays within" in line, "EXCEEDS" in line) == (holds, not holds)


def test_what_was_not_measured_is_not_judged():
    assert "not measured" in verdict({})
    assert "not measured" in verdict({"fast": measured({(CHOSEN, "alone"): [1.0]})})


def test_the_table_has_a_row_for_each_setting_that_was_measured():
    decoding = measured({("unset", "alone"): [3.0]})
    decoding["runs"][0]["train_seconds"] = None
    rows = [
        line
        for line in results_block({"fast": measured(FAST), "decoding": decoding}).splitlines()
        if line.startswith("| `")
    ]
    assert rows == [
        "| `fast` | unset | 1.5 (1.4 to 9.0) |  | 12.0 (6.0 to 17.0) | 3.5 / – / 14.0 "
        "| 1.00 | 8.00 |",
        f"| `fast` | **{CHOSEN}** | 1.6 (1.2 to 1.6) | 3.2 (2.4 to 3.6) | 2.4 (2.4 to 2.4) "
        "| 3.6 / 5.2 / 4.4 | 1.07 | 2.00 |",
        "| `decoding` | unset | 5.0 |  |  | 5.0 / – / – | 1.00 |  |",
    ]


def test_company_works_inside_the_block_and_has_ended_after_it():
    with beside("alone"):
        assert not multiprocessing.active_children()
    with beside("busy thread"):
        (process,) = multiprocessing.active_children()
        assert process.is_alive()
    assert not process.is_alive()


def test_a_command_starts_with_the_variables_of_its_setting(monkeypatch, tmp_path):
    started = []

    def run(command, env, **_):
        started.append((command, env))
        return subprocess.CompletedProcess(command, 0, b'{"train_seconds": 1.5}')

    (tmp_path / "mnist").mkdir()
    monkeypatch.setattr(company.subprocess, "run", run)
    assert run_once("fast", "one thread", tmp_path)["train_seconds"] == 1.5
    (command, environment) = started[0]
    assert command[0] == sys.executable
    assert environment.items() >= SETTINGS["one thread"].items()


def test_the_choice_of_the_command_line_is_among_the_settings():
    assert CHOSEN in SETTINGS
