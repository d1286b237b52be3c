"""Networks trained as the hardware multiplies: layers, chip weights, the loop, finetuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.training.finetuning import Trained as Trained
    from xbar.training.finetuning import finetune as finetune
    from xbar.training.layer import AnalogLayer as AnalogLayer
    from xbar.training.recipe import Epoch as Epoch
    from xbar.training.recipe import Recipe as Recipe
    from xbar.training.recipe import Tuning as Tuning

_HOME = {
    "AnalogLayer": "xbar.training.layer",
    "Epoch": "xbar.training.recipe",
    "Recipe": "xbar.training.recipe",
    "Trained": "xbar.training.finetuning",
    "Tuning": "xbar.training.recipe",
    "finetune": "xbar.training.finetuning",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.training", _HOME)
