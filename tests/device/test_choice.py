"""Which card ``device=`` names, and what is said where there is none."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest

import xbar
from xbar.device import choice, find, nvrtc
from xbar.device.nvidia import NvidiaCard
from xbar.errors import SpecError, ToolError


@pytest.fixture(autouse=True)
def found_anew() -> Any:
    choice.first_card.cache_clear()
    yield
    choice.first_card.cache_clear()


class Driver:
    """CUDA's driver, as far as a card is opened by it."""

    class CUresult:
        """Its answers."""

        CUDA_SUCCESS = SimpleNamespace(name="CUDA_SUCCESS")
        CUDA_ERROR_NO_DEVICE = SimpleNamespace(name="CUDA_ERROR_NO_DEVICE")
        CUDA_ERROR_OUT_OF_MEMORY = SimpleNamespace(name="CUDA_ERROR_OUT_OF_MEMORY")

    def __init__(self, status: Any, version: int) -> None:
        self.status, self.version = status, version

    def cuInit(self, flags: int) -> tuple[Any]:  # noqa: N802 - the driver's own name
        assert flags == 0
        return (self.status,)

    def cuDriverGetVersion(self) -> tuple[Any, int]:  # noqa: N802 - the driver's own name
        return self.CUresult.CUDA_SUCCESS, self.version


def with_driver(monkeypatch: pytest.MonkeyPatch, driver: object) -> None:
    monkeypatch.setattr(nvrtc, "version", lambda: (13, 5))
    monkeypatch.setitem(sys.modules, "cuda", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "cuda.bindings", SimpleNamespace(driver=driver))


def test_no_driver_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_library(flags: int) -> None:
        raise RuntimeError("libcuda.so.1 is not there")

    with_driver(monkeypatch, SimpleNamespace(cuInit=no_library))
    with pytest.raises(ToolError, match="display driver is not installed"):
        NvidiaCard()


def test_no_card_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with_driver(monkeypatch, Driver(Driver.CUresult.CUDA_ERROR_NO_DEVICE, 13000))
    with pytest.raises(ToolError, match=r"finds no card \(CUDA_ERROR_NO_DEVICE\)"):
        NvidiaCard()


def test_a_driver_too_old_for_the_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    with_driver(monkeypatch, Driver(Driver.CUresult.CUDA_SUCCESS, 12080))
    with pytest.raises(ToolError, match=r"runs CUDA 12.8 and NVRTC is 13.5; update the driver"):
        NvidiaCard()


def test_a_missing_compiler_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    nvrtc.version.cache_clear()
    monkeypatch.setitem(sys.modules, "cuda.bindings", None)
    with pytest.raises(ToolError, match=r"pip install 'xbar\[gpu\]'") as error:
        find("cuda")
    assert error.value.exit_code == 3
    assert "device 'cpu' needs none" in str(error.value)
    assert find("auto") is None
    nvrtc.version.cache_clear()


def test_solving_on_a_missing_card_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choice, "first_card", lambda: (None, "there is none"))
    with pytest.raises(ToolError, match="there is none"):
        xbar.solve_subset([1.0, 2.0], 2.0, device="cuda")
    with pytest.raises(ToolError, match="there is none"):
        xbar.solve_subset([1.0, 2.0], 2.0, method="greedy", device="cuda")
    assert xbar.solve_subset([1.0, 2.0], 2.0, device="auto").achieved == 2.0


@pytest.mark.parametrize("name", ["gpu", "CUDA", "", None, 0, ["cpu"]])
def test_other_devices_are_refused(name: Any) -> None:
    with pytest.raises(SpecError, match="device must be one of cpu, cuda, auto"):
        find(name)
