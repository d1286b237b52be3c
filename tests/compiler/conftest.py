"""A program folder, and a copy of it for each test."""

import shutil

import numpy as np
import pytest
from program_folders import HARDWARE, WEIGHTS

import xbar


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    folder = tmp_path_factory.mktemp("original") / "a.xbar"
    chip = tmp_path_factory.mktemp("chip") / "chip.npz"
    np.savez(chip, on=np.random.default_rng(2).uniform(1e-6, 2e-5, (8, 6, 7, 9)))
    xbar.compile(WEIGHTS, xbar.Chip.from_measurement(chip, HARDWARE)).save(folder)
    return folder


@pytest.fixture
def folder(tmp_path, original):
    return shutil.copytree(original, tmp_path / "a.xbar")
