"""`tellapart explain`: exit codes, one JSON object, and what is refused."""

import shutil
from pathlib import Path

import pytest
from PIL import Image


@pytest.fixture
def run(trained, tmp_path, own_place):
    return Path(shutil.copytree(trained, tmp_path / "run"))


def test_mistakes_as_a_table_and_as_json(tellapart, run):
    printed = tellapart("explain", run, "--threads", 1, "--method", "integrated-gradients")
    assert printed.code == 0
    assert "completeness gap" in printed.out
    assert str(run / "explanation.html") in printed.out
    outcome = tellapart("explain", run, "--threads", 1, "--method", "occlusion", "--json")
    assert outcome.code == 0
    content = outcome.json
    assert content["methods"] == ["occlusion"]
    assert len(content["pictures"]) == 20
    first = content["pictures"][0]
    assert {"index", "truth", "answer", "probability", "kind", "because", "figures"} <= set(first)
    assert {"index", "label", "distance"} == set(first["nearest"][0])


def test_an_unreadable_picture_does_not_stop_the_others_and_exits_2(tellapart, run):
    Path("scans").mkdir()
    Path("scans/a.png").write_bytes(b"")
    Image.effect_noise((28, 28), 80).save("scans/b.png")
    outcome = tellapart("explain", run, "scans", "--threads", 1, "--method", "grad-cam")
    assert outcome.code == 2
    assert "b.png" in outcome.out
    assert "a.png" in outcome.err
    outcome = tellapart("explain", run, "scans", "--threads", 1, "--method", "grad-cam", "--json")
    assert outcome.code == 2
    assert [entry.get("error") is not None for entry in outcome.json["pictures"]] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        (["--method", "oclusion"], "occlusion"),
        (["none/*.png"], "pattern"),
        (["missing.png"], "path"),
    ],
)
def test_a_wrong_request_is_refused_with_the_remedy(refused, run, arguments, remedy):
    assert remedy in refused("explain", run, *arguments)
    assert not (run / "explanation.html").exists()


def test_the_command_is_listed(tellapart):
    assert "explain" in tellapart("--help").out
