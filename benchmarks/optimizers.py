"""Every optimizer on mnist-sample, and the table in ``docs/decisions/optimizers.md``.

Protocol: recipe ``small-data``, which was made for AdamW, with the optimizer changed. The rate of
each of the others was chosen among three, and Lion's weight decay scaled against it, on a fifth of
the train split that was held out, with seed 0; the page lists what was tried. Then once per seed,
the test split read once after the last epoch. Seed by seed; seconds are the training loop alone.
Every run goes into ``benchmarks/results/optimizers.json``; the table is written from that file
alone.

    python benchmarks/optimizers.py                  5 optimizers, 3 seeds; rewrites the table
    python benchmarks/optimizers.py --render-only    rewrites the table from the stored results
"""

from __future__ import annotations

import sys

from protocol import ROOT
from variants import run

VARIANTS = {
    "AdamW": (),
    "Adam": ("optimizer=adam", "weight_decay=0"),
    "SGD, Nesterov": (
        "optimizer=sgd",
        "learning_rate=0.1",
        "momentum=0.9",
        "nesterov=true",
        "weight_decay=0.0005",
    ),
    "Lion": ("optimizer=lion", "learning_rate=0.0008", "weight_decay=0.25", "beta2=0.99"),
    "Muon": ("optimizer=muon", "learning_rate=0.01", "beta1=0.95"),
}

if __name__ == "__main__":
    document = ROOT / "docs" / "decisions" / "optimizers.md"
    sys.exit(run("optimizers", "optimizer", VARIANTS, [document]))
