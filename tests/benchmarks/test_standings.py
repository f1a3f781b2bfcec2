import json

import pytest

from standings import CHINESE, ENGLISH, make_row, merge, seconds_to_accuracy, table

TARGET = 0.99
ENVIRONMENT = {
    "processor": "AMD EPYC",
    "cores": 2,
    "threads": 2,
    "python": "3.11.7",
    "torch": "2.13.0",
    "tellapart": "0.1.0",
    "commit": "abc",
    "command": "python benchmarks/leaderboard.py",
}


def recipe_run(seconds=8.0, accuracy=0.992, **more):
    return {
        "num_parameters": 108_970,
        "num_epochs": 1,
        "precision": "bf16",
        "train_seconds": seconds,
        "test_accuracy": accuracy,
        **more,
    }


def peer_run(accuracies, seconds=30.0):
    return {
        "num_parameters": 1_199_882,
        "num_epochs": len(accuracies),
        "precision": "fp32",
        "seconds_per_epoch": [seconds] * len(accuracies),
        "test_accuracy_per_epoch": list(accuracies),
        "train_seconds": seconds * len(accuracies),
        "test_accuracy": accuracies[-1],
    }


LOOP = peer_run([0.98, 0.985, 0.99, 0.989, 0.991])


@pytest.fixture
def rows():
    fast = make_row(
        [recipe_run(8.0), recipe_run(12.0)],
        [LOOP],
        ENVIRONMENT,
        TARGET,
        [{"process_seconds": 12.0}, {"process_seconds": 14.0}],
    )
    other = {**ENVIRONMENT, "commit": "def"}
    loop = make_row([LOOP, peer_run([0.98] * 5)], [LOOP, peer_run([0.98] * 5)], other, TARGET)
    return {"tutorial-loop": loop, "fast": fast}


def test_a_peer_gets_there_in_the_first_epoch_that_is_good_enough():
    assert seconds_to_accuracy(LOOP, 0.99) == 90.0
    assert seconds_to_accuracy(LOOP, 0.98) == 30.0
    assert seconds_to_accuracy(LOOP, 0.995) is None


def test_a_recipe_is_read_once_after_its_last_epoch():
    assert seconds_to_accuracy(recipe_run(8.0, 0.99), 0.99) == 8.0
    assert seconds_to_accuracy(recipe_run(8.0, 0.9899), 0.99) is None


def test_a_row_holds_every_run_with_mean_and_std(rows):
    fast = rows["fast"]
    assert fast["train_seconds"] == {"mean": 10.0, "std": pytest.approx(8**0.5), "n": 2}
    assert fast["test_accuracy_percent"]["mean"] == pytest.approx(99.2)
    assert fast["cold_start_seconds"]["mean"] == 13.0
    assert fast["times_tutorial_loop"] == pytest.approx(150 / 10)
    assert len(fast["runs"]) == len(fast["cold_runs"]) == 2
    assert fast["loop_runs"] == [LOOP]
    assert json.loads(json.dumps(fast)) == fast


def test_the_loop_is_as_fast_as_itself(rows):
    assert rows["tutorial-loop"]["times_tutorial_loop"] == 1.0


def test_seeds_that_never_get_there_are_counted_and_not_averaged(rows):
    assert rows["tutorial-loop"]["seconds_to_target"] == {"mean": 90.0, "std": 0.0, "n": 1}
    assert "| 90.0 (1 of 2 seeds) |" in table(rows, ENGLISH, "mnist", "MNIST", TARGET)
    assert "| 90.0 (2 个种子中的 1 个) |" in table(rows, CHINESE, "mnist", "MNIST", TARGET)


def test_a_row_that_never_gets_there_shows_a_dash():
    row = make_row([recipe_run(8.0, 0.97)], [LOOP], ENVIRONMENT, TARGET)
    assert row["seconds_to_target"] is None
    assert "| 97.00 (n = 1) | 8.0 | 19 | — |  |" in table(
        {"fast": row}, ENGLISH, "mnist", "MNIST", TARGET
    )


def test_merging_replaces_what_was_measured_and_keeps_the_rest(rows):
    again = make_row([recipe_run(5.0)], [LOOP], ENVIRONMENT, TARGET)
    tiny = make_row([recipe_run(3.0)], [LOOP], ENVIRONMENT, TARGET)
    merged = merge(rows, {"fast": again, "tiny": tiny})
    assert list(merged) == ["tutorial-loop", "fast", "tiny"]
    assert merged["fast"] is again
    assert merged["tutorial-loop"] is rows["tutorial-loop"]


def test_the_shortest_training_is_first_and_recipes_are_bold(rows):
    head, ruler, first, second, *_ = table(rows, ENGLISH, "mnist", "MNIST", TARGET).splitlines()
    assert head.count("|") == ruler.count("|") == first.count("|") == second.count("|") == 9
    assert first == (
        "| **`fast`**, bf16 | 108,970 | 1 | 99.20 ± 0.00 (n = 2) | 10.0 ± 2.8 | 15 "
        "| 10.0 ± 2.8 | 13.0 ± 1.4 |"
    )
    assert second.startswith("| [the tutorials' loop](benchmarks/tutorial_loop.py), fp32 |")


def test_rows_measured_alike_share_a_line_of_conditions(rows):
    tiny = make_row([recipe_run(20.0)], [LOOP], ENVIRONMENT, TARGET)
    lines = table({**rows, "tiny": tiny}, ENGLISH, "mnist", "MNIST", TARGET).splitlines()
    conditions = [line for line in lines if "commit" in line]
    assert len(conditions) == 2
    assert conditions[0].startswith("- `fast`, `tiny`: AMD EPYC, 2 cores, torch on 2 of them;")
    assert conditions[1].startswith("- `tutorial-loop`: ")
    assert "commit def" in conditions[1]


def test_a_peer_of_other_software_names_it(rows):
    run = {**peer_run([0.99]), "software": "keras 3.15.1, jax 0.10.2"}
    row = make_row([run], [LOOP], ENVIRONMENT, TARGET)
    text = table({"keras-example": row}, CHINESE, "mnist", "MNIST", TARGET)
    assert "[Keras 官方示例](https://keras.io/examples/vision/mnist_convnet/)" in text
    assert ", keras 3.15.1, jax 0.10.2, fp32 |" in text


@pytest.mark.parametrize(
    ("seconds", "shown"), [(150 / 0.35, "0.35"), (150 / 2.44, "2.4"), (150 / 15.2, "15")]
)
def test_a_ratio_has_two_digits_that_count(seconds, shown):
    row = make_row([recipe_run(seconds)], [LOOP], ENVIRONMENT, TARGET)
    assert f" | {shown} | " in table({"fast": row}, ENGLISH, "mnist", "MNIST", TARGET)


def test_a_recipe_that_answers_by_several_views_is_marked(rows):
    rows = {"best-objects": rows["fast"], "fast": rows["fast"]}
    for wording, words in ((ENGLISH, "bf16, 2 views of each"), (CHINESE, "bf16, 每张图片看 2 个")):
        text = table(rows, wording, "mnist", "MNIST", TARGET)
        assert text.count(words) == 1
