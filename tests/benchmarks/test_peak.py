from types import SimpleNamespace

import pytest

import peak
from peak import (
    KINDS,
    fractions,
    kind_of,
    operations_per_second,
    peak_table,
    profile_once,
    profile_table,
    recipe_row,
)

RUN = {
    "batch_size": 256,
    "precision": "bf16",
    "multiply_adds": 1_000_000,
    "num_images": 60_000,
    "train_seconds": 6.0,
}
RESULTS = {
    "data": "mnist",
    "side": 4096,
    "peak": {"fp32": {"best": 100e9, "all": [100e9]}, "bf16": {"best": 400e9, "all": [400e9]}},
    "recipes": {"fast": recipe_row([RUN, {**RUN, "train_seconds": 5.0}])},
    "profile_steps": 50,
    "profiles": {"fast": {**dict.fromkeys(KINDS, 0.1), "rest": 0.2}},
    "environment": {
        "processor": "AMD EPYC",
        "cores": 2,
        "threads": 2,
        "python": "3.11.7",
        "torch": "2.13.0",
        "tellapart": "0.1.0",
        "commit": "abc",
        "precision": "bf16",
        "command": "python benchmarks/peak.py",
    },
}


def event(name, microseconds, parent=None):
    return SimpleNamespace(name=name, self_cpu_time_total=microseconds, cpu_parent=parent)


def test_training_counts_three_passes_of_two_operations_a_multiply_add():
    assert operations_per_second(RUN) == pytest.approx(3 * 2 * 1e6 * 60_000 / 6)


def test_the_fraction_is_of_the_peak_in_the_recipes_precision():
    # 60 and 72 GFLOP/s: 66 of 400.
    text = peak_table(RESULTS)
    assert "| `fast` | 256 | 1.00 | 11000 ± 1414 | 66.0 ± 8.5 | 16.5 % of bf16 |" in text
    assert "4,096 x 4,096: 100 GFLOP/s in fp32, 400 GFLOP/s in bf16." in text
    assert "n = 2. AMD EPYC, 2 cores" in text


@pytest.mark.parametrize(
    ("names", "kind"),
    [
        (["aten::conv2d", "aten::_to_copy"], "convolution, forward"),
        (["aten::mkldnn_convolution"], "convolution, forward"),
        (
            ["autograd::engine::evaluate_function: ConvolutionBackward0", "aten::convolution"],
            "convolution, backward",
        ),
        (["autograd::engine::evaluate_function: MaxPool2DWithIndicesBackward0"], "pooling"),
        (["aten::batch_norm", "aten::native_batch_norm"], "norm"),
        (["autograd::engine::evaluate_function: NativeBatchNormBackward0"], "norm"),
        (["aten::linear", "aten::addmm"], "products"),
        (["autograd::engine::evaluate_function: AddmmBackward0", "aten::mm"], "products"),
        (["aten::threshold_backward"], "activation and dropout"),
        (["tellapart::augment", "aten::mm"], "augmentation"),
        (["tellapart::take_step", "aten::_fused_adam_"], "optimizer"),
        (["aten::index", "aten::empty"], "rest"),
    ],
)
def test_the_outermost_operation_with_a_kind_decides(names, kind):
    assert kind_of(names) == kind


def test_fractions_are_of_the_wall_clock_and_add_up_to_it():
    scope = event("tellapart::augment", 10)
    inner = event("aten::mm", 20, parent=event("aten::matmul", 5, parent=scope))
    found = fractions([scope, inner, event("aten::conv2d", 30), event("aten::empty", 7)], 100)
    assert found["augmentation"] == pytest.approx(0.3)
    assert found["convolution, forward"] == pytest.approx(0.3)
    assert found["products"] == 0
    assert found["rest"] == pytest.approx(0.4)
    assert sum(found.values()) == pytest.approx(1)


def test_the_table_has_a_row_for_every_kind():
    lines = profile_table(RESULTS).splitlines()
    assert lines[0] == "| fraction of the time, % | `fast` |"
    assert [line.split(" | ")[0] for line in lines[2:-2]] == [f"| {k}" for k in (*KINDS, "rest")]
    assert "| rest | 20.0 |" in lines


def test_a_profile_of_real_steps_finds_every_kind_of_work(capfd):
    found = profile_once("fast", 2, "mnist-sample", None)
    working = ("convolution, forward", "convolution, backward", "pooling", "norm", "products")
    assert all(found[kind] > 0 for kind in (*working, "optimizer", "augmentation"))
    assert sum(found.values()) == pytest.approx(1)


def test_products_are_timed_in_both_precisions():
    for precision in peak.DTYPES:
        rates = peak.product_rates(precision, 64)
        assert len(rates) == peak.PRODUCTS
        assert min(rates) > 0
