"""Strong lottery tickets: subnetworks of random networks, found or built by pruning.

The names below are imported on first use. A module must not have the same name as its function:
importing the module would shadow the function.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.pruning.constructions.approximation import Approximation as Approximation
    from xbar.pruning.constructions.approximation import approximate as approximate
    from xbar.pruning.constructions.certificate import Certificate as Certificate
    from xbar.pruning.constructions.certificate import LayerCertificate as LayerCertificate
    from xbar.pruning.constructions.sizing import Width as Width
    from xbar.pruning.constructions.sizing import width as width
    from xbar.pruning.magnitudes import lottery_ticket as lottery_ticket
    from xbar.pruning.magnitudes import magnitude as magnitude
    from xbar.pruning.magnitudes import random as random
    from xbar.pruning.moving import move as move
    from xbar.pruning.popup import edge_popup as edge_popup
    from xbar.pruning.relaxed import gates as gates
    from xbar.pruning.ticket import Ticket as Ticket
    from xbar.training.recipe import Epoch as Epoch
    from xbar.training.recipe import Recipe as Recipe

_HOME = {
    "Approximation": "xbar.pruning.constructions.approximation",
    "Certificate": "xbar.pruning.constructions.certificate",
    "Epoch": "xbar.training.recipe",
    "LayerCertificate": "xbar.pruning.constructions.certificate",
    "Recipe": "xbar.training.recipe",
    "Ticket": "xbar.pruning.ticket",
    "Width": "xbar.pruning.constructions.sizing",
    "approximate": "xbar.pruning.constructions.approximation",
    "edge_popup": "xbar.pruning.popup",
    "gates": "xbar.pruning.relaxed",
    "lottery_ticket": "xbar.pruning.magnitudes",
    "magnitude": "xbar.pruning.magnitudes",
    "move": "xbar.pruning.moving",
    "random": "xbar.pruning.magnitudes",
    "width": "xbar.pruning.constructions.sizing",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.pruning", _HOME)
