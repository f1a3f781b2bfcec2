"""`reproduce`: the tutorials' recipes, each into a run of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from tellapart.config import load_recipe, recipe_names
from tellapart.errors import ConfigError
from tellapart.runs.session import Session
from tellapart.workflow.reproduce import CLAIMS, choose_claims, reproduce

QUICK = ("epochs=1", "batch_size=100")


def test_there_is_a_claim_for_every_tutorial_and_a_recipe_for_every_claim():
    names = {name for name in recipe_names() if name.startswith("tutorial-")}
    assert {claim.recipe for claim in CLAIMS} == names
    assert len(CLAIMS) == 7
    for claim in CLAIMS:
        assert load_recipe(claim.recipe).name == claim.recipe
        assert claim.reference_accuracy is None or 0.9 < claim.reference_accuracy < 1


def test_all_or_those_named_in_the_order_they_are_named():
    assert choose_claims() == CLAIMS
    chosen = choose_claims(["tutorial-lenet", "tutorial-two-conv-5x5"])
    assert [claim.recipe for claim in chosen] == ["tutorial-lenet", "tutorial-two-conv-5x5"]


def test_only_the_tutorials():
    with pytest.raises(ConfigError, match="'standard' is a recipe, but not one of the tutorials'"):
        choose_claims(["standard"])
    with pytest.raises(ConfigError, match="'lenet' is unknown; reproduce knows: tutorial-"):
        reproduce(["tutorial-lenet", "lenet"])
    assert not any(Path().iterdir())


def test_a_run_for_each(digits):
    names = ["tutorial-single-conv-adam", "tutorial-two-conv-5x5"]
    results = reproduce(
        names, data=digits, settings=QUICK, seed=5, out="all", session=Session(threads=1)
    )
    assert [claim.recipe for claim, _ in results] == names
    for claim, result in results:
        assert result.run == Path("all") / claim.recipe
        assert result.recipe == claim.recipe
        assert (result.seed, result.num_epochs) == (5, 1)
        assert (result.run / "evaluation.json").exists()


def test_runs_are_numbered_where_no_folder_is_named(digits):
    for number in (1, 2):
        [(_, result)] = reproduce(
            ["tutorial-lenet"], data=digits, settings=QUICK, session=Session(threads=1)
        )
        assert result.run == Path(f"runs/digits-tutorial-lenet-{number}")
