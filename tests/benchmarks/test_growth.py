import pytest

import growth
from growth import MIB, evaluation_row, evaluation_table, render, training_row, training_table

ENVIRONMENT = {
    "processor": "AMD EPYC",
    "cores": 2,
    "threads": 2,
    "python": "3.11.7",
    "torch": "2.13.0",
    "tellapart": "0.1.0",
    "commit": "abc",
    "command": "python benchmarks/growth.py",
    "precision": "bf16",
}


def training_run(seconds, peak):
    return {
        "train_seconds": seconds,
        "peak_bytes": peak * MIB,
        "bytes_before": 200 * MIB,
        "image_bytes": 7 * MIB,
    }


@pytest.fixture
def results():
    return {
        "recipe": "fast",
        "data": "mnist",
        "training": [
            training_row(10_000, [training_run(1.0, 300), training_run(1.2, 310)]),
            training_row(60_000, [training_run(6.0, 350), training_run(6.6, 350)]),
        ],
        "evaluation": [
            evaluation_row(1, [{"num_images": 2000, "seconds": 0.5}]),
            evaluation_row(1000, [{"num_images": 10_000, "seconds": 0.25}]),
        ],
        "environment": ENVIRONMENT,
    }


def test_a_row_divides_by_the_pictures(results):
    row = results["training"][0]
    assert row["microseconds_per_image"]["mean"] == pytest.approx(110)
    assert row["peak_mib"] == {"mean": 305.0, "std": pytest.approx(50**0.5), "n": 2}
    assert row["image_mib"] == 7
    assert results["evaluation"][0]["images_per_second"]["mean"] == 4000


def test_the_tables_hold_time_memory_and_throughput(results):
    training, evaluation = training_table(results), evaluation_table(results)
    assert "| 60,000 | 105.0 ± 7.1 | 6.30 ± 0.42 | 350 ± 0 | 7 | 200 |" in training
    assert "![Training time per picture and peak memory by the number of pictures]" in training
    assert "| 1 | 4000 | 0.25 |" in evaluation
    assert "| 1,000 | 40000 | 25.00 |" in evaluation
    assert "n = 2. AMD EPYC, 2 cores" in training


def test_everything_is_written_from_the_results(results, tmp_path, monkeypatch):
    document = tmp_path / "speed.md"
    blocks = (f"<!-- {name}:begin -->\n<!-- {name}:end -->\n" for name in ("growth", "evaluation"))
    document.write_text("".join(blocks), "utf-8")
    monkeypatch.setattr(growth, "DOCUMENT", document)
    monkeypatch.setattr(growth, "CHART", tmp_path / "growth.svg")
    render(results)
    text = document.read_text("utf-8")
    assert "| 10,000 | 110.0" in text
    assert "| 1,000 | 40000 |" in text
    assert (tmp_path / "growth.svg").read_text("utf-8").startswith("<svg")


def test_the_marks_stand_in_the_document():
    text = growth.DOCUMENT.read_text("utf-8")
    for name in ("growth", "evaluation", "peak", "profile"):
        assert text.count(f"<!-- {name}:begin -->") == text.count(f"<!-- {name}:end -->") == 1
