"""Networks trained as the hardware multiplies: layers, chip weights, the loop, finetuning."""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.compiler.corrections import Corrections as Corrections
    from xbar.training.calibration import Compared as Compared
    from xbar.training.calibration import Comparison as Comparison
    from xbar.training.calibration import calibrate as calibrate
    from xbar.training.calibration import compare as compare
    from xbar.training.finetuning import Trained as Trained
    from xbar.training.finetuning import finetune as finetune
    from xbar.training.layer import AnalogLayer as AnalogLayer
    from xbar.training.recipe import Epoch as Epoch
    from xbar.training.recipe import Recipe as Recipe
    from xbar.training.recipe import Tuning as Tuning

_HOME = {
    "AnalogLayer": "xbar.training.layer",
    "Comparison": "xbar.training.calibration",
    "Corrections": "xbar.compiler.corrections",
    "Epoch": "xbar.training.recipe",
    "Compared": "xbar.training.calibration",
    "Recipe": "xbar.training.recipe",
    "Trained": "xbar.training.finetuning",
    "Tuning": "xbar.training.recipe",
    "calibrate": "xbar.training.calibration",
    "compare": "xbar.training.calibration",
    "finetune": "xbar.training.finetuning",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.training", _HOME)
