"""Strong lottery tickets: networks found in random weights by choosing which of them to keep.

The names below are imported when they are first used. A file must not bear the name of the
function that it holds: an import of the file would hide the function.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from xbar.pruning.approximation import Approximation as Approximation
    from xbar.pruning.approximation import approximate as approximate
    from xbar.pruning.certificate import Certificate as Certificate
    from xbar.pruning.certificate import LayerCertificate as LayerCertificate
    from xbar.pruning.magnitudes import lottery_ticket as lottery_ticket
    from xbar.pruning.magnitudes import magnitude as magnitude
    from xbar.pruning.magnitudes import random as random
    from xbar.pruning.moving import move as move
    from xbar.pruning.popup import edge_popup as edge_popup
    from xbar.pruning.recipe import Recipe as Recipe
    from xbar.pruning.sizing import Width as Width
    from xbar.pruning.sizing import width as width
    from xbar.pruning.ticket import Epoch as Epoch
    from xbar.pruning.ticket import Ticket as Ticket

_HOME = {
    "Approximation": "approximation",
    "Certificate": "certificate",
    "LayerCertificate": "certificate",
    "Width": "sizing",
    "approximate": "approximation",
    "width": "sizing",
    "Epoch": "ticket",
    "Recipe": "recipe",
    "Ticket": "ticket",
    "edge_popup": "popup",
    "lottery_ticket": "magnitudes",
    "magnitude": "magnitudes",
    "move": "moving",
    "random": "magnitudes",
}

__all__ = sorted(_HOME)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'xbar.pruning' has no attribute {name!r}")
    value = getattr(import_module(f"xbar.pruning.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
