"""Torch modules trained as the hardware multiplies: layers, chip weights, the loop."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.training.layer import AnalogLayer as AnalogLayer
    from xbar.training.recipe import Epoch as Epoch
    from xbar.training.recipe import Recipe as Recipe

_HOME = {
    "AnalogLayer": "xbar.training.layer",
    "Epoch": "xbar.training.recipe",
    "Recipe": "xbar.training.recipe",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.training", _HOME)
