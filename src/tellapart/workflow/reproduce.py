"""``reproduce``: train the seven networks of the tutorials as their articles describe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.config import Settings, recipe_names
from tellapart.errors import ConfigError
from tellapart.runs.session import Session
from tellapart.workflow.train import train
from tellapart.workflow.training_result import TrainingResult


@dataclass(frozen=True)
class Claim:
    """The result that an article claims, in words, and the result of its own training loop.

    ``reference_accuracy`` is from one run of the article's loop on full MNIST, repaired only so far
    that it runs; None if it was not run.
    """

    recipe: str
    claim: str
    reference_accuracy: float | None


CLAIMS: tuple[Claim, ...] = (
    Claim("tutorial-dropout-sgd", "none", 0.9885),
    Claim("tutorial-single-conv-adam", "none", 0.9755),
    Claim("tutorial-single-conv-sgd", "none", 0.9686),
    Claim("tutorial-two-conv-adam", "none", 0.9901),
    Claim("tutorial-lenet", "none", None),
    Claim("tutorial-dropout-adam", "none", 0.9897),
    Claim("tutorial-two-conv-5x5", "loss 0.216, 97.8 %", 0.9821),
)


def reproduce(
    recipes: Sequence[str] = (),
    *,
    data: str | Path = "mnist",
    settings: Settings = (),
    seed: int = 0,
    out: str | Path | None = None,
    session: Session | None = None,
) -> list[tuple[Claim, TrainingResult]]:
    """Trains the tutorials' networks one after the other, each into a run of its own.

    Args:
        recipes: names of the tutorials' recipes; empty is all seven.
        data: the data set; the articles use ``mnist``.
        settings: changes to every recipe.
        seed: the seed of every run.
        out: the folder for the runs, ``OUT/RECIPE``; None chooses ``runs/DATA-RECIPE-N``.
        session: device, data folder and callbacks; None is the default `Session`.

    Returns:
        Each article's claim with the result of our training.

    Raises:
        TellapartError: a subclass of it, if the request or its input is wrong.

    >>> import tellapart
    >>> [(claim, result)] = tellapart.reproduce(
    ...     ["tutorial-single-conv-adam"], data="mnist-sample", settings={"training.epochs": 1}
    ... )
    >>> claim.reference_accuracy, result.test.num_images
    (0.9755, 1000)
    """
    return [
        (
            claim,
            train(
                data,
                recipe=claim.recipe,
                settings=settings,
                seed=seed,
                out=Path(out) / claim.recipe if out else None,
                session=session,
            ),
        )
        for claim in choose_claims(recipes)
    ]


def choose_claims(recipes: Sequence[str] = ()) -> tuple[Claim, ...]:
    """Return the claims of these recipes, or all seven if none is named.

    Raises:
        ConfigError: a name that is not a recipe of the tutorials.
    """
    known = {claim.recipe: claim for claim in CLAIMS}
    for name in recipes:
        if name not in known:
            kind = (
                "a recipe, but not one of the tutorials'" if name in recipe_names() else "unknown"
            )
            raise ConfigError(f"{name!r} is {kind}; reproduce knows: {', '.join(known)}")
    return tuple(known[name] for name in recipes) if recipes else CLAIMS
