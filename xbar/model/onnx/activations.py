"""Activations of ONNX's recurrent layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from xbar.errors import ModelError
from xbar.model.graph import Ref
from xbar.model.onnx.context import Context, Operator

_DEFAULTS: Mapping[str, tuple[float | None, float | None]] = MappingProxyType(
    {
        "relu": (None, None), "tanh": (None, None), "sigmoid": (None, None),
        "softsign": (None, None), "softplus": (None, None), "leakyrelu": (0.01, None),
        "thresholdedrelu": (1.0, None), "elu": (1.0, None), "hardsigmoid": (0.2, 0.5),
        "affine": (1.0, 0.0), "scaledtanh": (1.0, 1.0),
    }
)  # fmt: skip
"""alpha and beta of each activation; None for one that it does not have."""


@dataclass(frozen=True)
class Activation:
    """A function of one number.

    Attributes:
        name: ONNX's name in small letters.
        alpha, beta: its parameters; 0 if it has none.
    """

    name: str
    alpha: float = 0.0
    beta: float = 0.0

    def apply(self, context: Context, x: Ref) -> Ref:
        """The function's value."""
        simple = {"relu", "tanh", "sigmoid", "softplus"}
        if self.name in simple:
            return context.add(f"{self.name}.default", x)
        if self.name == "softsign":
            below = context.add("add.Scalar", context.add("abs.default", x), 1.0)
            return context.add("div.Tensor", x, below)
        if self.name == "leakyrelu":
            return context.add("leaky_relu.default", x, self.alpha)
        if self.name == "thresholdedrelu":
            return context.add("threshold.default", x, self.alpha, 0.0)
        if self.name == "elu":
            return context.add("elu.default", x, self.alpha)
        if self.name == "scaledtanh":
            inner = context.add("tanh.default", context.add("mul.Scalar", x, self.beta))
            return context.add("mul.Scalar", inner, self.alpha)
        line = context.add("add.Scalar", context.add("mul.Scalar", x, self.alpha), self.beta)
        return line if self.name == "affine" else context.add("clamp.default", line, 0.0, 1.0)


def read_activations(operator: Operator, usual: Sequence[str]) -> list[Activation]:
    """The activations of all directions, with their parameters taken in order.

    Raises:
        ModelError: there are too few, or one is unknown.
    """
    # the specification's default is for two directions, whatever the layer has
    given = operator.attributes.get("activations") or usual
    chosen = given if "activations" in operator.attributes.given else usual
    names = [str(each).lower() for each in chosen]
    if len(names) != len(usual):
        raise ModelError(f"it has {len(names)} activations, but needs {len(usual)}")
    alphas, betas = (
        list(operator.attributes.get(key) or []) for key in ("activation_alpha", "activation_beta")
    )
    found = []
    for name in names:
        if name not in _DEFAULTS:
            raise ModelError(f"its activation {name[:30]!r} is not converted")
        alpha, beta = (
            0.0 if usual_value is None else float(values.pop(0)) if values else usual_value
            for usual_value, values in zip(_DEFAULTS[name], (alphas, betas), strict=True)
        )
        found.append(Activation(name, alpha, beta))
    return found
