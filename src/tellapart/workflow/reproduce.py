"""``reproduce``: the seven networks of the tutorials, trained as the articles say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tellapart.config import Settings, recipe_names
from tellapart.errors import ConfigError
from tellapart.runs.session import Session
from tellapart.workflow.train import TrainingResult, train


@dataclass(frozen=True)
class Claim:
    """What an article says its network reaches, in words, and what its mended loop gave.

    ``reference_accuracy`` is one run of the article's own loop on full MNIST, mended only so far
    that it runs; None where it was not run.
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
        recipes: which; none is all seven.
        data: what on; the articles' is ``mnist``.
        settings: changes to every recipe.
        seed: for every run.
        out: the folder for the runs, ``OUT/RECIPE``; None chooses ``runs/DATA-RECIPE-N``.
        session: machine, data folder and callbacks; None is the default `Session`.

    Raises:
        TellapartError: any of its kinds, where the request or its input is wrong.
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
    """The claims of the recipes named; of all seven where none is.

    Raises:
        ConfigError: a name that is none of the tutorials' recipes.
    """
    known = {claim.recipe: claim for claim in CLAIMS}
    for name in recipes:
        if name not in known:
            kind = (
                "a recipe, but not one of the tutorials'" if name in recipe_names() else "unknown"
            )
            raise ConfigError(f"{name!r} is {kind}; reproduce knows: {', '.join(known)}")
    return tuple(known[name] for name in recipes) if recipes else CLAIMS
