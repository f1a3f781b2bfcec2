"""Every optimizer on mnist-sample, and the table in ``docs/decisions/optimizers.md``.

Protocol: recipe ``small-data``, which was made for AdamW, for four epochs, with the optimizer
changed. The settings of the others are rules of thumb, taken before the first run and not tuned:
Lion at a fifth of AdamW's rate and five times its weight decay (the paper's range), Muon at 2.5
times the rate with the momentum of its author, SGD as it is usual with batch norm. Once per seed,
the test split read once after the last epoch; nothing was chosen by it. Every run goes into
``benchmarks/results/optimizers.json``; the table is written from that file alone.

    python benchmarks/optimizers.py                  4 optimizers, 3 seeds; rewrites the table
    python benchmarks/optimizers.py --render-only    rewrites the table from the stored results
"""

from __future__ import annotations

import sys

from protocol import ROOT
from variants import english, run

VARIANTS = {
    "AdamW": (),
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
    sys.exit(run("optimizers", VARIANTS, {document: english("optimizer")}))
