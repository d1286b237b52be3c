"""Transfer of a ticket's mask to another chip, as a control experiment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from xbar.errors import SpecError
from xbar.hardware.chip import Chip
from xbar.pruning.initial import scaled
from xbar.pruning.ticket import Ticket
from xbar.training.chip_weights import cells_of, layer_shapes
from xbar.training.layers import own_copy, prunable, set_weights


def move(ticket: Ticket, chip: Chip) -> Ticket:
    """Apply the mask to another chip's conductances; batch norms are unchanged.

    Args:
        ticket: ticket found on a chip.
        chip: chip whose design has as many cells per tile.

    Raises:
        SpecError: the ticket was not found on a chip, or the chip is too small.
    """
    switches = ticket.switches()
    if ticket.chip is None or switches is None:
        raise SpecError(
            "only a ticket of a chip can be moved to another; xbar.compile programs the others on "
            "any chip"
        )
    network = own_copy(ticket.model)
    layers = prunable(network)
    shapes = layer_shapes(ticket.graph(), list(ticket.mask))
    own, scales = cells_of(ticket.chip, shapes), {}
    for name, cells in own.items():
        conductance = np.where(switches[name], cells.on, cells.off)
        weight = layers[name].weight.numpy(force=True).reshape(shapes[name])
        scales[name] = float((weight * conductance).sum() / (conductance**2).sum())
    states = scaled(cells_of(chip, shapes), scales, {name: layers[name] for name in ticket.mask})
    set_weights(network, ticket.mask, states)
    return replace(ticket, model=network, chip=chip)
