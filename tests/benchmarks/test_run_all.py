import sys

import pytest

import protocol
import run_all
from run_all import benchmarks


def test_every_benchmark_has_its_stored_result_and_every_result_its_benchmark():
    stored = {path.stem for path in protocol.RESULTS.glob("*.json")}
    assert stored == benchmarks().keys()
    assert all(benchmarks().values())


def test_modules_and_parts_of_others_are_no_benchmarks(tmp_path):
    runs = '"""What it measures.\n\nHow.\n"""\nif __name__ == "__main__":\n    pass\n'
    for name in ("speed", "tutorial_loop"):
        (tmp_path / f"{name}.py").write_text(runs)
    (tmp_path / "protocol.py").write_text('"""Shared."""\n')
    assert benchmarks(tmp_path) == {"speed": "What it measures."}


def test_one_that_fails_does_not_keep_others_from_running(tmp_path, capfd):
    def command(code):
        return [sys.executable, "-c", f"print('ran'); raise SystemExit({code})"]

    assert run_all.run_all({"a": command(0), "b": command(3), "c": command(0)}) == ["b"]
    printed = capfd.readouterr()
    assert printed.out.count("ran") == 3
    assert "2/3 b\nb: failed with exit code 3 after 0.0 min\n" in printed.err


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--list"], 0, "operations       "),
        (["operation"], 2, "no benchmark 'operation'; known: blocks, "),
    ],
)
def test_listing_and_an_unknown_name(monkeypatch, capsys, arguments, code, told):
    monkeypatch.setattr(sys, "argv", ["run_all.py", *arguments])
    assert run_all.main() == code
    assert told in "".join(capsys.readouterr())


def test_names_choose_what_is_run(monkeypatch):
    seen = []
    monkeypatch.setattr(run_all, "run_all", lambda commands: seen.append(commands) or [])
    monkeypatch.setattr(sys, "argv", ["run_all.py", "peak", "operations"])
    assert run_all.main() == 0
    assert [list(commands) for commands in seen] == [["peak", "operations"]]
    assert seen[0]["peak"] == [sys.executable, str(run_all.FOLDER / "peak.py")]
