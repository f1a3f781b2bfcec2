"""Tables say the evaluation's numbers, and nested settings under their headings."""

import xml.etree.ElementTree as ElementTree

import torch

from tellapart import wording
from tellapart.evaluation import evaluate_logits
from tellapart.page.markup import element
from tellapart.report.tables import class_table, entries


def test_a_row_per_class_and_the_means_below():
    labels = torch.tensor([0, 0, 0, 1, 1, 1])
    predictions = torch.tensor([0, 0, 1, 1, 1, 0])
    logits = torch.nn.functional.one_hot(predictions, 3).double()
    evaluation = evaluate_logits(logits, labels, ("ant", "bee", "<cat>"))
    table = ElementTree.fromstring(class_table(evaluation)).find("table")
    rows = [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]
    third = ["0.6667"] * 3
    assert rows[1] == ["ant", "3", "1", *third, wording.score(evaluation.per_class[0].auc)]
    assert rows[3] == ["<cat>", "0", "0", "0.0000", "0.0000", "0.0000", wording.NOT_DEFINED]
    macro_auc = wording.score(evaluation.macro_auc)
    assert rows[4] == ["Mean over classes", "6", "2", *third, macro_auc]
    assert rows[5] == ["Mean over images", "6", "2", *third, ""]


def test_nested_settings_come_under_their_names():
    settings = {
        "seed": 0,
        "model": {"name": "lenet5", "layer_sizes": (120, 84)},
        "learning_rate": 0.002,
        "augment": False,
        "note": "",
    }
    parsed = ElementTree.fromstring(element("div", entries(settings)))
    printed = ["".join(row.itertext()) for row in parsed.iter("div") if row.find("dt") is not None]
    assert printed == ["seed0", "learning rate0.002", "augmentno", "note–", "namelenet5",
                    "layer sizes120, 84"]  # fmt: skip
    assert [heading.text for heading in parsed.iter("h4")] == ["model"]
