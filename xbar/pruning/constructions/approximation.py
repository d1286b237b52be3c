"""Constructions: random networks pruned to approximate a trained network."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal, SupportsIndex

import numpy as np
from numpy.typing import ArrayLike

from xbar.arrays import Floats
from xbar.errors import SpecError
from xbar.hardware import draw
from xbar.hardware.draw import check_seed
from xbar.pruning.constructions import convolution, malach, multidimensional, pensia
from xbar.pruning.constructions.certificate import Certificate, LayerCertificate, propagate
from xbar.pruning.constructions.choosing import Minimise, check_minimise
from xbar.pruning.constructions.replacement import CHECK, Order, Replacement, TargetLayer
from xbar.pruning.constructions.sequence import (
    LayerSequence,
    check_sequence,
    children,
    read_sequence,
)
from xbar.pruning.ticket import Ticket

if TYPE_CHECKING:
    from torch import nn

Construct = Callable[[TargetLayer, Order], Replacement]

_DRAWN, _INPUTS = 64, 1 << 63  # random inputs of the measurement, and their stream

_METHODS: dict[str, Construct] = {
    "malach": malach.construct,
    "pensia": pensia.construct,
    "cnn": convolution.construct,
    "neurons": multidimensional.construct,
}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Approximation(Ticket):
    """A construction's ticket.

    `model` is the pruned random network; the mask belongs to the layers that choose among random
    weights, named "<layer>.second" ("<layer>.first" for the convolutional theorem). The other of
    the two random layers keeps one entry per neuron and has no mask.

    Attributes:
        target: the approximated network.
        replacements: random numbers and subsets of each layer.
        certificate: proved bounds and measured errors.
    """

    target: nn.Module
    replacements: tuple[Replacement, ...]
    certificate: Certificate

    @cached_property
    def random(self) -> nn.Module:
        """The random network before the mask is applied.

        A layer too large for a module (see the certificate's notes) is the same as in `model`.
        """
        from xbar.pruning.constructions.realise import realise

        return realise(self.target, list(self.replacements), pruned=False)


def approximate(
    model: nn.Module,
    method: Literal["malach", "pensia", "cnn", "neurons"] = "pensia",
    epsilon: float = 0.01,
    samples: int = 21,
    seed: SupportsIndex = 0,
    *,
    minimise: Minimise = "error",
    group: int = 2,
    inputs: ArrayLike | None = None,
    input_shape: tuple[int, ...] | None = None,
    input_range: tuple[float, float] = (0.0, 1.0),
    progress: Callable[[int, int], None] | None = None,
) -> Approximation:
    """Prune a random network of twice the depth so that it approximates a given network.

    Every linear layer and convolution becomes two random layers; biases and all other steps are
    unchanged. Modules `malach`, `pensia` and `convolution` describe the methods.

    Args:
        model: `torch.nn.Sequential` of linear layers, 2-d convolutions and steps between them.
        method: "malach", one random path per weight; "pensia", a subset of random products;
            "cnn", the convolutional theorem, which requires non-negative inputs; "neurons", which
            keeps or removes whole neurons of fully connected layers.
        epsilon: largest allowed error of a weight, in units of the model's weights. A weight that
            misses it is counted as a failure and approximated as closely as possible.
        samples: random numbers per weight (twice as many where inputs may be negative).
        seed: random seed, 0 to 2^64 - 1; the same seed gives the same network.
        minimise: "error" takes the closest subsets, "size" the smallest within epsilon.
        group: for "neurons": number of outputs that share a mask; n samples give about n/group
            bits.
        inputs: inputs (N, ...) for measuring the network's error; None for 64 random ones.
        input_shape: shape of one input; required without inputs if the model begins with a
            convolution.
        input_range: lower and upper limit of the inputs, for the certificate's bounds.
        progress: callback, called after each layer with layers done and layers in total.

    Returns:
        The ticket, with `model` (a PyTorch module in the given model's precision), `mask`, `random`
        and `certificate`.

    Raises:
        ModelError: the model is not such a sequence.
        SpecError: an argument is invalid, inputs are out of range, or a layer's inputs may be
            negative where the theorem requires otherwise.

    >>> import torch
    >>> layer = torch.nn.Linear(3, 2)
    >>> ticket = approximate(torch.nn.Sequential(layer), "pensia", samples=16)
    >>> ticket.certificate.failures, bool(ticket.certificate.bound < 0.01)
    (0, True)
    """
    import copy

    from xbar.pruning.constructions import realise

    construct = _check(method, epsilon, samples, minimise, group)
    order = Order(float(epsilon), samples, minimise, check_seed(seed), group)
    exact = copy.deepcopy(_sequential(model)).eval()
    low, high = input_range
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise SpecError(f"input_range must be a finite low below its high, not {low}, {high}")
    values = None if inputs is None else _check_inputs(inputs, input_range)
    shape = _input_shape(exact, values, input_shape)
    precise = copy.deepcopy(exact).double()
    sequence = read_sequence(precise, shape, input_range)
    replacements = []
    for target in sequence.targets:
        replacements.append(construct(target, order))
        if progress is not None:
            progress(len(replacements), len(sequence.targets))
    built = realise.realise(exact, replacements)
    if values is None:
        values = low + (high - low) * draw.uniform(order.seed, CHECK, _INPUTS, (_DRAWN, *shape))
    names = [replacement.target.name for replacement in replacements]
    measured = realise.measure(precise, built, names, values)
    masks = {
        realise.masked_name(replacement): realise.module_mask(
            replacement, exact.get_submodule(replacement.target.name)
        )
        for replacement in replacements
    }
    return Approximation(
        model=built,
        mask=masks,
        input_shape=shape,
        method=method,
        seed=order.seed,
        target=exact,
        replacements=tuple(replacements),
        certificate=certify(method, order, sequence, replacements, measured, values),
    )


def certify(
    method: str,
    order: Order,
    sequence: LayerSequence,
    replacements: list[Replacement],
    measured: tuple[float, list[float]],
    inputs: Floats,
) -> Certificate:
    """Certificate of the constructed layers."""
    bounds, own = propagate(sequence, replacements)
    worst, each = measured
    layers = tuple(
        LayerCertificate(
            name=replacement.target.name,
            weights=replacement.target.weight.size,
            instances=replacement.instances,
            failures=replacement.failures,
            scale=replacement.scale,
            candidates=replacement.candidates,
            kept=replacement.kept,
            fixed=replacement.fixed.size,
            dense=replacement.dense,
            weight_error=np.abs(replacement.error).max(axis=-1),
            bound=reached,
            promised=promised,
            measured=seen,
            replacement=replacement,
        )
        for replacement, (reached, promised), seen in zip(replacements, own, each, strict=True)
    )
    return Certificate(
        method=method,
        epsilon=order.epsilon,
        samples=order.samples,
        minimise=order.minimise,
        seed=order.seed,
        layers=layers,
        bound=float(bounds.error.max()),
        promised=float(bounds.promised.max()),
        measured=worst,
        inputs=len(inputs),
        input_range=(sequence.low, sequence.high),
        notes=tuple(_notes(sequence, replacements)),
    )


def _notes(sequence: LayerSequence, replacements: list[Replacement]) -> list[str]:
    from xbar.pruning.constructions.realise import is_large

    notes = ["biases stay digital"]
    for replacement in replacements:
        name = replacement.target.name
        if replacement.scale > 1.0:
            why = (
                "its largest weight"
                if replacement.kind == "gates"
                else "the l1 norm of its kernels"
            )
            notes.append(
                f"{name}: {why} is above the theorem's 1, so weights were divided by "
                f"{replacement.scale:g}, and the second random layer is of "
                f"U(-{replacement.scale:g}, {replacement.scale:g})"
            )
        if not replacement.target.nonnegative:
            notes.append(f"{name}: inputs may be negative, so s(x) and s(-x) are both built")
        if is_large(replacement):
            notes.append(
                f"{name}: {replacement.candidates:,} random weights are too many for a module; it "
                "has the sums of the subsets as weights"
            )
    return notes


def _check(method: str, epsilon: float, samples: int, minimise: str, group: int) -> Construct:
    if method not in _METHODS:
        raise SpecError(f"method must be one of {', '.join(_METHODS)}, not {method!r}")
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise SpecError(f"epsilon must be finite and above 0, not {epsilon!r}")
    for name, value in (("samples", samples), ("group", group)):
        if not isinstance(value, int) or value < 1:
            raise SpecError(f"{name} must be a whole number of at least 1, not {value!r}")
    check_minimise(minimise)
    return _METHODS[method]


def _sequential(model: nn.Module) -> nn.Module:
    from collections import OrderedDict

    from torch import nn

    if isinstance(model, (nn.Linear, nn.Conv2d)):
        return nn.Sequential(OrderedDict(layer=model))
    check_sequence(model)
    return model


def _check_inputs(inputs: ArrayLike, input_range: tuple[float, float]) -> Floats:
    array = np.asarray(inputs, np.float64)
    if array.ndim < 2 or not array.size or not np.isfinite(array).all():
        raise SpecError(f"inputs must be finite numbers (N, ...), not of shape {array.shape}")
    low, high = array.min(), array.max()
    if low < input_range[0] or high > input_range[1]:
        raise SpecError(
            f"inputs must lie within input_range {input_range}, not between {low:g} and {high:g}; "
            "scale them, or state their range"
        )
    return np.ascontiguousarray(array)


def _input_shape(
    model: nn.Module, inputs: Floats | None, stated: tuple[int, ...] | None
) -> tuple[int, ...]:
    if inputs is not None:
        shape = inputs.shape[1:]
        if stated is not None and tuple(stated) != shape:
            raise SpecError(f"input_shape {tuple(stated)} must be that of the inputs, {shape}")
        return shape
    if stated is not None:
        return tuple(stated)
    from torch import nn

    first = next((module for _, module in children(model)), None)
    if isinstance(first, nn.Linear):
        return (first.in_features,)
    raise SpecError(
        "input_shape must be given, or inputs, as the model does not begin with a linear layer; "
        "for example input_shape=(1, 28, 28)"
    )
