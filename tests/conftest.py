"""Fixtures that tests of several packages share."""

from __future__ import annotations

import os
import shutil
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plain_card import PlainCard

from xbar.circuit.crossbar import Crossbar
from xbar.circuit.engines import pyspice as engine
from xbar.circuit.netlist import crossbar_netlist
from xbar.errors import ToolError
from xbar.silicon.process import Process


def missing(reason: str, requirement: str) -> None:
    """Skip the test, or fail it if the environment requires what is missing."""
    if os.environ.get(requirement):
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def ngspice() -> str:
    """The path of ngspice; without it the test is skipped, or fails if it is required."""
    path = shutil.which("ngspice")
    if path is None:
        missing("ngspice is not on PATH: sudo apt-get install ngspice", "XBAR_REQUIRE_NGSPICE")
    assert path is not None
    return path


def _process(name: str) -> Process:
    try:
        return Process.find(name)
    except ToolError as error:
        missing(str(error), "XBAR_REQUIRE_MODELS")
        raise


@pytest.fixture(scope="session")
def gf180mcu(ngspice: str) -> Process:
    """The process with its models; without them or ngspice the test is skipped, or fails."""
    del ngspice
    return _process("gf180mcu")


@pytest.fixture(scope="session")
def sky130(ngspice: str) -> Process:
    """Likewise; its tests carry the mark ``sky130``."""
    del ngspice
    return _process("sky130")


@pytest.fixture(scope="session")
def klayout() -> str:
    """The path of klayout; without it the test is skipped, or fails if it is required."""
    path = shutil.which("klayout")
    if path is None:
        missing("klayout is not on PATH: sudo apt-get install klayout", "XBAR_REQUIRE_KLAYOUT")
    assert path is not None
    return path


@pytest.fixture(scope="session")
def iverilog() -> str:
    """The path of Icarus Verilog; without it the test is skipped, or fails if it is required."""
    path = shutil.which("iverilog")
    if path is None:
        missing("iverilog is not on PATH: sudo apt-get install iverilog", "XBAR_REQUIRE_IVERILOG")
    assert path is not None
    return path


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of Chromium; without it the test is skipped, or fails if it is required."""
    path = shutil.which("chromium") or shutil.which("chromium-browser")
    if path is None:
        missing("chromium is not on PATH: sudo apt-get install chromium", "XBAR_REQUIRE_CHROMIUM")
    assert path is not None
    return path


@dataclass(frozen=True)
class Trained:
    """A small classifier of scikit-learn's digits, trained once for all tests.

    Attributes:
        path: its torch.export archive.
        data: an .npz with 120 held-out inputs (N, 1, 8, 8) and labels.
        module: the network itself.
    """

    path: Path
    data: Path
    module: Any


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A convolution with batch norm and two linear layers, about 95 % right."""
    torch = pytest.importorskip("torch")
    datasets = pytest.importorskip("sklearn.datasets")
    images, labels = datasets.load_digits(return_X_y=True)
    images = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    torch.manual_seed(0)
    module = torch.nn.Sequential(
        OrderedDict(
            conv=torch.nn.Conv2d(1, 6, 3, stride=2, padding=1),
            norm=torch.nn.BatchNorm2d(6),
            relu=torch.nn.ReLU(),
            flat=torch.nn.Flatten(),
            hidden=torch.nn.Linear(96, 24),
            relu2=torch.nn.ReLU(),
            out=torch.nn.Linear(24, 10),
        )
    )
    optimiser = torch.optim.Adam(module.parameters(), lr=0.01)
    x, y = torch.from_numpy(images[:1600]), torch.from_numpy(labels[:1600])
    for _ in range(60):
        loss = torch.nn.functional.cross_entropy(module(x), y)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    module.eval()
    folder = tmp_path_factory.mktemp("trained")
    batch = {0: torch.export.Dim("batch")}
    exported = torch.export.export(module, (x[:2],), dynamic_shapes=(batch,))
    torch.export.save(exported, folder / "model.pt2")
    np.savez(folder / "test.npz", inputs=images[1600:1720], labels=labels[1600:1720])
    return Trained(folder / "model.pt2", folder / "test.npz", module)


@pytest.fixture(scope="session")
def blobs() -> tuple[np.ndarray, np.ndarray]:
    """300 points of 3 classes in 8 dimensions, apart enough to be told from each other."""
    rng = np.random.default_rng(0)
    labels = np.arange(300) % 3
    centres = rng.normal(size=(3, 8)) * 2
    return (centres[labels] + rng.normal(size=(300, 8))).astype(np.float32), labels


@pytest.fixture(scope="session")
def pyspice() -> None:
    """PySpice and its library; without them the test is skipped, or fails if they are required."""
    try:
        engine.run(crossbar_netlist(Crossbar([[1.0]])))
    except ToolError as error:
        missing(str(error), "XBAR_REQUIRE_PYSPICE")


@pytest.fixture(scope="session")
def compiler() -> str:
    """The path of a C++ compiler; without it the test is skipped, or fails if it is required."""
    path = shutil.which("c++") or shutil.which("g++") or shutil.which("clang++")
    if path is None:
        missing("no C++ compiler is on PATH: sudo apt-get install g++", "XBAR_REQUIRE_CXX")
    assert path is not None
    return path


@pytest.fixture
def plain_card(
    compiler: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> PlainCard:
    """A card of plain C++ behind ``device="cuda"``."""
    card = PlainCard(request.config.cache.mkdir("kernels"), compiler)
    monkeypatch.setattr("xbar.device.choice.first_card", lambda: (card, ""))
    return card
