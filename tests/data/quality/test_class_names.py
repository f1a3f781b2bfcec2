"""Names of classes that are hardly meant."""

import pytest

from tellapart.data.quality.class_names import class_name_findings


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (("cat", "dog"), []),
        (("cat", "nan"), ["'nan'"]),
        (("cat", "None", "N/A"), ["'None', 'N/A'"]),
        (("cat", ""), ["''"]),
        (("cat", "  "), ["'  '"]),
        (("cat", "Unnamed: 0"), ["'Unnamed: 0'"]),
        (("cat", ".ipynb_checkpoints"), ["'.ipynb_checkpoints'"]),
        (("Bar", "bar", "zinc"), ["'Bar', 'bar'"]),
        (("bar", "bar "), ["'bar '", "'bar', 'bar '"]),
        (("scratch_deep", "Scratch deep"), ["'scratch_deep', 'Scratch deep'"]),
        (("car", "train"), ["'train'"]),
        (("valid", "invalid"), []),
        (("a1", "a-1"), ["'a1', 'a-1'"]),
        (("nano", "nonesuch", "trainer"), []),
        (tuple(f" {n}" for n in range(8)), ["' 4' and 3 more"]),
    ],
)
def test_what_is_found(names, named):
    findings = list(class_name_findings(names))
    assert len(findings) == len(named)
    for finding, words in zip(findings, named, strict=True):
        assert (finding.kind, finding.severity) == ("class names", "fault")
        assert words in finding.message
