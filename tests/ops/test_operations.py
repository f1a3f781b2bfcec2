"""What holds for all of ``tellapart.ops``: no torch.nn, and documented names with examples."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
import torch

from tellapart import ops

FILES = sorted(Path(ops.__file__).parent.glob("*.py"))

#: All that may be asked of torch: making, reordering, arithmetic, comparison, sums, Fourier.
ALLOWED = {
    *("Tensor", "Size", "dtype", "device", "Generator", "autograd", "amp"),
    *("float16", "bfloat16", "float32", "float64", "int64", "bool"),
    *("channels_last", "contiguous_format", "inf", "no_grad"),
    *("empty", "zeros", "zeros_like", "ones_like", "full_like", "rand"),
    *("cat", "stack", "split", "unflatten", "where", "maximum", "bmm", "einsum", "fft"),
    *("is_autocast_enabled", "get_autocast_dtype"),
}
#: Everything torch.nn.functional offers is forbidden as a method of a tensor too.
FORBIDDEN = {name for name in dir(torch.nn.functional) if not name.startswith("__")} - {
    "math",
    "torch",
    "Tensor",
}


def _violations(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Import(names=names):
                found += [n.name for n in names if n.name != "torch" and "torch" in n.name]
            case ast.ImportFrom(module=str(module), names=names) if module.startswith("torch"):
                allowed = module in ("torch.autograd", "torch.autograd.function")
                found += [] if allowed else [f"{module}.{n.name}" for n in names]
            case ast.Attribute(value=ast.Name(id="torch"), attr=name) if name not in ALLOWED:
                found.append(f"torch.{name}")
            case ast.Attribute(attr=name) if name in FORBIDDEN or name in ("_C", "nn"):
                found.append(f".{name}")
            case ast.Name(id="getattr" | "__import__" | "eval" | "exec" | "importlib" as name):
                found.append(name)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_only_tensor_arithmetic_is_used(path: Path):
    assert _violations(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "escape",
    [
        "import torch.nn",
        "import torch.nn.functional as F",
        "from torch import nn",
        "from torch.nn.functional import relu",
        "torch.conv2d(x, w)",
        "torch.max_pool2d(x, 2)",
        "torch.nn.functional.relu(x)",
        "torch._C._nn.linear(x, w)",
        "torch.ops.aten.convolution(x)",
        "torch.native_batch_norm(x)",
        "x.softmax(1)",
        "x.relu()",
        "getattr(torch, 'conv2d')",
    ],
)
def test_the_ban_sees_every_escape(escape: str):
    assert _violations(escape)


def test_the_public_names_are_these():
    assert ops.__all__ == [
        "Window",
        "add_windows",
        "avg_pool2d",
        "batch_norm",
        "channel_dropout",
        "conv2d",
        "conv_transpose2d",
        "cross_entropy",
        "dropout",
        "global_avg_pool2d",
        "layer_norm",
        "leaky_relu",
        "linear",
        "log_softmax",
        "max_pool2d",
        "relu",
        "relu6",
        "sigmoid",
        "sliding_windows",
        "softmax",
        "squared_error",
        "tanh",
    ]


@pytest.mark.parametrize("name", ops.__all__)
def test_every_public_name_has_a_docstring_with_an_example(name: str):
    documented = getattr(ops, name)
    text = inspect.getdoc(documented) or ""
    if name == "Window":
        text += inspect.getdoc(documented.places) or ""
    assert ">>> " in text


def test_every_operation_explains_its_backward_pass():
    for path in FILES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef) and any(
                isinstance(parent, ast.Name) and parent.id == "Operation" for parent in node.bases
            ):
                assert ast.get_docstring(node), node.name
                methods = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
                assert {"forward", "backward"} <= methods, node.name
