"""Importing does nothing, and what a person waits for first waits for no torch."""

import subprocess
import sys

import pytest

HEAVY = ("torch", "numpy", "PIL", "safetensors", "sklearn", "matplotlib", "torchvision")
REPORT = f"""
import sys
loaded = [name for name in {HEAVY!r} if name in sys.modules]
sys.exit("loaded " + ", ".join(loaded) if loaded else 0)
"""


def python(code, *arguments):
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120
    )


@pytest.mark.parametrize(
    "module",
    ["tellapart", "tellapart.errors", "tellapart.config", "tellapart.files", "tellapart.wording"],
)
def test_light_modules_load_nothing_heavy(module):
    done = python(f"import {module}\n{REPORT}")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_reading_and_changing_a_recipe_loads_nothing_heavy():
    code = "import tellapart\ntellapart.load_recipe('standard').with_settings(['epochs=3'])\n"
    done = python(code + REPORT)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["--version"],
        ["train", "--help"],
        ["recipes", "list"],
        ["finetune", "--sources"],
        ["trian"],
    ],
    ids=" ".join,
)
def test_the_command_line_answers_without_torch(arguments):
    code = f"import sys\nfrom tellapart.cli import run\nrun(sys.argv[1:])\n{REPORT}"
    done = python(code, *arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout or arguments == ["trian"]


def test_the_module_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "tellapart", "--help"],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0
    assert "train" in done.stdout
    assert done.stderr == ""


def test_importing_everything_needs_no_torchvision_and_leaves_the_generator_alone():
    code = (
        "import torch\nbefore = torch.get_rng_state()\nimport tellapart\n"
        "[getattr(tellapart, name) for name in tellapart.__all__]\n"
        "assert torch.equal(before, torch.get_rng_state())\n"
        "import sys\nassert 'torchvision' not in sys.modules\n"
    )
    done = python(code)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
