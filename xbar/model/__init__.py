"""Neural networks: read from files, kept as plain data, run by PyTorch.

``read`` opens model files without executing anything in them; ``graph`` is the intermediate
representation; ``lower`` finds the layers that map to crossbars; ``interpret`` runs the rest. The
names below are imported on first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from xbar.lazy import public_names

if TYPE_CHECKING:
    from xbar.model.graph import Graph as Graph
    from xbar.model.graph import Input as Input
    from xbar.model.graph import Layer as Layer
    from xbar.model.graph import Node as Node
    from xbar.model.graph import Ref as Ref
    from xbar.model.graph import Tag as Tag
    from xbar.model.read import from_module as from_module
    from xbar.model.read import read_model as read_model

_HOME = {
    "Graph": "xbar.model.graph",
    "Input": "xbar.model.graph",
    "Layer": "xbar.model.graph",
    "Node": "xbar.model.graph",
    "Ref": "xbar.model.graph",
    "Tag": "xbar.model.graph",
    "from_module": "xbar.model.read",
    "read_model": "xbar.model.read",
}

__all__ = sorted(_HOME)

__getattr__, __dir__ = public_names("xbar.model", _HOME)
