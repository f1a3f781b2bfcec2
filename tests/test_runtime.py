"""Devices and seeds are those requested, and autocast has the precision of the runtime."""

import time

import pytest
import torch
from torch import nn

from tellapart import runtime as runtime_module
from tellapart.errors import DeviceError
from tellapart.openmp import WAIT_VARIABLES
from tellapart.runtime import (
    Runtime,
    Stopwatch,
    choose_device,
    choose_runtime,
    derived_seed,
    describe_environment,
    generator,
    limited_threads,
    multiplies_bf16_fast,
    place,
    rank_and_world_size,
)

CPU = torch.device("cpu")
FP32 = Runtime(CPU, "fp32")


def test_the_processor_is_always_there():
    assert choose_device("cpu") == CPU
    assert choose_runtime("cpu", "fp32") == FP32
    assert choose_runtime("cpu", "bf16").precision == "bf16"


def test_auto_prefers_cuda_then_mps_then_the_processor(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert choose_device().type == "cuda"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_device().type == "mps"
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device().type == "cpu"


@pytest.mark.parametrize("name", ["", "gpu", "cuda:x", "cuda:-1"])
def test_an_unknown_device_is_refused(name):
    with pytest.raises(DeviceError) as caught:
        choose_device(name)
    assert str(caught.value) == f"unknown device {name!r}; use auto, cpu, cuda, cuda:0 or mps"


@pytest.mark.parametrize("name", ["cuda:99", "meta", "xla"])
def test_a_device_that_is_not_there_is_refused(name):
    with pytest.raises(DeviceError) as caught:
        choose_device(name)
    assert str(caught.value) == (
        f"device {name!r} is not available on this machine; use --device auto"
    )


def test_the_second_of_one_gpu_is_refused(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert choose_device("cuda:0") == torch.device("cuda:0")
    with pytest.raises(DeviceError, match="not available"):
        choose_device("cuda:1")


@pytest.mark.parametrize("fast", [True, False])
def test_precision_auto_follows_the_hardware(monkeypatch, fast):
    monkeypatch.setattr(runtime_module, "multiplies_bf16_fast", lambda _: fast)
    assert choose_runtime("cpu").precision == ("bf16" if fast else "fp32")


@pytest.mark.parametrize(
    ("capability", "flags", "fast"),
    [
        ("AVX512", "avx512f avx512_bf16", True),
        ("AVX512_VNNI", "amx_bf16", True),
        ("AVX512", "avx512f", False),
        ("AVX2", "avx512_bf16", False),
        ("DEFAULT", "", False),
    ],
)
def test_a_processor_needs_bf16_instructions_of_its_own(monkeypatch, capability, flags, fast):
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    monkeypatch.setattr("pathlib.Path.read_text", lambda *_: flags)
    assert multiplies_bf16_fast(CPU) is fast


def test_autocast_computes_in_bfloat16_and_keeps_weights():
    layer = nn.Linear(4, 4)
    with Runtime(CPU, "bf16").autocast():
        assert layer(torch.ones(1, 4)).dtype == torch.bfloat16
    assert layer.weight.dtype == torch.float32
    with FP32.autocast():
        assert layer(torch.ones(1, 4)).dtype == torch.float32


def test_place_lays_kernels_out_channels_last_in_place():
    layer = nn.Conv2d(3, 4, 3)
    values = layer.weight.detach().clone()
    assert place(layer, FP32) is layer
    assert layer.weight.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(layer.weight, values)


def test_limited_threads_are_as_before_afterwards_also_on_an_error():
    before = torch.get_num_threads()
    with limited_threads(before + 1):
        assert torch.get_num_threads() == before + 1
        with limited_threads(None):
            assert torch.get_num_threads() == before + 1
    assert torch.get_num_threads() == before
    with pytest.raises(ZeroDivisionError), limited_threads(before + 1):
        raise ZeroDivisionError
    assert torch.get_num_threads() == before
    with pytest.raises(DeviceError, match="at least 1, got 0"), limited_threads(0):
        pass


def test_a_process_that_works_alone_is_the_main_one(monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")
    runtime = choose_runtime("cpu", "fp32")
    assert (runtime.rank, runtime.world_size, runtime.is_main) == (0, 1, True)


def test_torchrun_reports_which_process_this_is(monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    runtime = choose_runtime("cpu", "fp32")
    assert (runtime.rank, runtime.world_size, runtime.is_main) == (2, 4, False)


def test_what_is_initialised_counts_more_than_the_variables(monkeypatch):
    monkeypatch.setenv("RANK", "2")
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_rank", lambda: 1)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    assert rank_and_world_size() == (1, 2)


@pytest.mark.parametrize(
    ("rank", "world_size"), [("4", "4"), ("-1", "4"), ("first", "4"), ("0", "0"), ("0", "")]
)
def test_variables_that_cannot_be_are_refused(monkeypatch, rank, world_size):
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", world_size)
    with pytest.raises(DeviceError) as caught:
        rank_and_world_size()
    assert repr(rank) in str(caught.value)
    assert "torchrun" in str(caught.value)


def test_seeds_differ_by_seed_purpose_and_epoch():
    seeds = {
        derived_seed(seed, purpose, epoch)
        for seed in range(10)
        for purpose in ("order", "dropout", "weights")
        for epoch in range(10)
    }
    assert len(seeds) == 300
    assert all(0 <= seed < 2**63 for seed in seeds)
    assert derived_seed(0, "order", 12) != derived_seed(0, "order", 1, 2)


def test_a_seed_is_the_same_on_every_machine_and_in_every_release():
    # Pinned: a change would break the resuming of every run that exists.
    assert derived_seed(0, "order", 1) == 4489457307835839548
    assert derived_seed(2**63 - 1, "weights") == 2553244423785113738


def test_generators_repeat_and_leave_the_global_one_alone():
    before = torch.get_rng_state()
    first = torch.rand(5, generator=generator(3, "order", 1))
    assert torch.equal(first, torch.rand(5, generator=generator(3, "order", 1)))
    assert not torch.equal(first, torch.rand(5, generator=generator(3, "order", 2)))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_stopwatch_measures_what_is_inside_also_when_it_fails():
    watch = Stopwatch(FP32)
    assert watch.elapsed_seconds == 0

    def work():
        with watch:
            time.sleep(0.01)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work()
    assert 0.01 <= watch.elapsed_seconds < 5


def test_a_stopwatch_waits_for_the_device_at_both_ends(monkeypatch):
    waits = []
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: waits.append(device))
    device = torch.device("cuda:0")
    with Stopwatch(Runtime(device, "fp32")):
        assert waits == [device]
    assert waits == [device, device]


def test_a_number_travels_with_versions_machine_and_precision():
    described = describe_environment(Runtime(CPU, "bf16"))
    assert described["torch"] == torch.__version__
    assert described["threads"] == torch.get_num_threads()
    assert (described["device"], described["precision"]) == ("cpu", "bf16")
    assert described.keys() >= {"tellapart", "python", "system", "processor", "cores"}


def test_a_number_travels_with_how_threads_wait(monkeypatch):
    for name in WAIT_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert describe_environment(FP32)["wait_policy"] is None
    monkeypatch.setenv("OMP_WAIT_POLICY", "PASSIVE")
    assert describe_environment(FP32)["wait_policy"] == {
        "OMP_WAIT_POLICY": "PASSIVE",
        "set_by": "environment",
    }
