"""The command line settles how OpenMP's threads wait, before torch is loaded; the library never."""

import json
import os
import subprocess
import sys

import pytest

from tellapart.openmp import SPIN_COUNT, WAIT_VARIABLES, describe_waiting

on_linux = pytest.mark.skipif(
    sys.platform != "linux", reason="the variable is that of GNU's library"
)

MAIN = """
import json, os, sys
from tellapart.cli import main
from tellapart.openmp import describe_waiting
sys.argv = ["tellapart", "--version"]
try:
    main()
except SystemExit as exit:
    assert exit.code == 0, exit.code
print(json.dumps([os.environ.get("GOMP_SPINCOUNT"), "torch" in sys.modules, describe_waiting()]))
"""


def python(*arguments, **variables):
    """Run Python with these variables and no other that decides how threads wait."""
    others = {name: value for name, value in os.environ.items() if name not in WAIT_VARIABLES}
    return subprocess.run(
        [sys.executable, *arguments],
        env={**others, **variables},
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )


def after_main(before="", **variables):
    """The spin count, whether torch is loaded, and the description, after the command line."""
    return json.loads(python("-c", before + MAIN, **variables).stdout.splitlines()[-1])


@on_linux
def test_the_command_line_sets_the_spin_count_before_torch_is_loaded():
    count = str(SPIN_COUNT)
    assert after_main() == [count, False, {"GOMP_SPINCOUNT": count, "set_by": "tellapart"}]


@pytest.mark.parametrize(
    ("name", "value"),
    [("GOMP_SPINCOUNT", "77"), ("OMP_WAIT_POLICY", "ACTIVE"), ("KMP_BLOCKTIME", "3")],
)
def test_a_value_of_the_environment_stays_and_keeps_others_from_being_set(name, value):
    spin_count = value if name == "GOMP_SPINCOUNT" else None
    assert after_main(**{name: value}) == [
        spin_count,
        False,
        {name: value, "set_by": "environment"},
    ]


def test_nothing_is_set_where_it_would_have_no_effect():
    has_torch = "import sys\nsys.modules['torch'] = sys\n"
    assert after_main(has_torch) == [None, True, None]
    on_a_mac = "import sys\nsys.platform = 'darwin'\n"
    assert after_main(on_a_mac) == [None, False, None]


def test_importing_the_package_sets_nothing():
    code = "import os, tellapart, tellapart.cli\nprint(sorted(os.environ))"
    assert not set(WAIT_VARIABLES) & set(eval(python("-c", code).stdout))


@on_linux
def test_a_run_has_the_spin_count_and_records_it(tmp_path):
    run = tmp_path / "run"
    tiny = ("--set", "epochs=1", "--set", "model.network=single-conv", "--shots", "26")
    # OpenMP's library itself prints what it has read, when torch loads it.
    command = ("-m", "tellapart", "train", "--recipe", "fast", *tiny, "--out", str(run))
    printed = python(*command, OMP_DISPLAY_ENV="VERBOSE").stderr
    recorded = json.loads((run / "environment.json").read_text("utf-8"))["wait_policy"]
    assert recorded == {"GOMP_SPINCOUNT": str(SPIN_COUNT), "set_by": "tellapart"}
    assert f"GOMP_SPINCOUNT={SPIN_COUNT}" in (run / "report.html").read_text("utf-8")
    if "GOMP_SPINCOUNT" not in printed:
        pytest.skip("this torch brings another library than GNU's")
    assert f"GOMP_SPINCOUNT = '{SPIN_COUNT}'" in printed


def test_all_variables_that_are_set_are_described(monkeypatch):
    for name in WAIT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert describe_waiting() is None
    monkeypatch.setenv("GOMP_SPINCOUNT", "5")
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert describe_waiting() == {
        "GOMP_SPINCOUNT": "5",
        "OMP_WAIT_POLICY": "PASSIVE",
        "set_by": "environment",
    }
