"""Cross-entropy against squared error on mnist-sample, and the tables in ``docs/losses.md``.

Protocol: recipe ``small-data`` for four epochs, with each loss; once more both without the
smoothing of labels. Once per seed, the test split read once after the last epoch; nothing was
chosen by it. No times: what a step costs is the network's. The test loss is the mean cross-entropy
for both. Every run goes into ``benchmarks/results/losses.json``; the tables are written from that
file alone.

    python benchmarks/losses.py                  4 variants, 3 seeds: measures, rewrites the tables
    python benchmarks/losses.py --render-only    rewrites the tables from the stored results
"""

from __future__ import annotations

import sys

from protocol import ROOT
from variants import chinese, english, run

SQUARED = "training.loss=squared-error"
PLAIN = "label_smoothing=0"
VARIANTS = {
    "cross-entropy": (),
    "squared error": (SQUARED,),
    "cross-entropy, no label smoothing": (PLAIN,),
    "squared error, no label smoothing": (SQUARED, PLAIN),
}
CHINESE_NAMES = {
    "cross-entropy": "交叉熵",
    "squared error": "平方误差",
    "cross-entropy, no label smoothing": "交叉熵，无标签平滑",
    "squared error, no label smoothing": "平方误差，无标签平滑",
}
DOCUMENTS = {
    ROOT / "docs" / "losses.md": english("loss"),
    ROOT / "docs" / "losses.zh-CN.md": chinese("损失", CHINESE_NAMES),
}

if __name__ == "__main__":
    sys.exit(run("losses", VARIANTS, DOCUMENTS))
