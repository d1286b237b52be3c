"""Constructions: a random network, pruned until it computes what a trained one does."""

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
from xbar.pruning.constructions import convolution, malach, multidimensional, pensia
from xbar.pruning.constructions.certificate import Certificate, LayerCertificate, propagate
from xbar.pruning.constructions.chain import Chain, check_chain, children, read_chain
from xbar.pruning.constructions.choosing import Minimise, check_minimise
from xbar.pruning.constructions.pairs import CHECK, Order, Pair, Target
from xbar.pruning.ticket import Ticket
from xbar.sizing.laws import check_seed

if TYPE_CHECKING:
    from torch import nn

Construct = Callable[[Target, Order], Pair]

_DRAWN, _INPUTS = 64, 1 << 63  # inputs drawn to measure on, and their place in the generator

_METHODS: dict[str, Construct] = {
    "malach": malach.construct,
    "pensia": pensia.construct,
    "cnn": convolution.construct,
    "neurons": multidimensional.construct,
}


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class Approximation(Ticket):
    """A construction's ticket.

    `model` is the pruned random network; its mask is that of the layers that choose among random
    weights, named "<layer>.second" ("<layer>.first" for the convolutional theorem). The other
    random layer of each pair keeps one entry a neuron and is in the model only.

    Attributes:
        target: the network that was approximated.
        pairs: each layer's random numbers and subsets.
        certificate: what is proved and was measured.
    """

    target: nn.Module
    pairs: tuple[Pair, ...]
    certificate: Certificate

    @cached_property
    def random(self) -> nn.Module:
        """The random network before the mask is applied.

        A layer too large for a module, of which the certificate tells, is as it is in `model`.
        """
        from xbar.pruning.constructions.realise import realise

        return realise(self.target, list(self.pairs), pruned=False)


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
    """Prunes a random network, twice as deep, to one that computes what a given network does.

    Every linear layer and convolution becomes two random layers; biases and everything else stay
    as they are. `malach`, `pensia` and `convolution` beside this file say what is kept.

    Args:
        model: a `torch.nn.Sequential` of linear layers, 2-d convolutions and the steps between.
        method: "malach", one random path a weight; "pensia", a subset of random products;
            "cnn", the convolutional theorem, whose layers need inputs that are not negative;
            "neurons", which keeps or removes whole neurons of fully connected layers.
        epsilon: the error that a weight may have, in the model's own unit. What misses it is
            counted as a failure and realised as closely as its random numbers allow.
        samples: random numbers for each weight (and as many again where inputs may be negative).
        seed: 0 to 2^64 - 1; the same seed gives the same network.
        minimise: "error" takes the closest subsets, "size" the smallest within epsilon.
        group: "neurons": outputs that share a mask; n samples give about n/group bits.
        inputs: (N, ...) to measure the network's error on; None for 64 random ones.
        input_shape: of one input; needed without inputs if the model begins with a convolution.
        input_range: what values of inputs lie between, for the certificate's bounds.
        progress: called after each layer with layers done and in all.

    Returns:
        The ticket, with `model` (runs in PyTorch, in the model's own precision), `mask`,
        `random` and `certificate`.

    Raises:
        ModelError: the model is no such chain.
        SpecError: an argument is not allowed, inputs lie out of their range, or a layer's inputs
            may be negative where the theorem says they may not.

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
    chain = read_chain(precise, shape, input_range)
    pairs = []
    for target in chain.targets:
        pairs.append(construct(target, order))
        if progress is not None:
            progress(len(pairs), len(chain.targets))
    built = realise.realise(exact, pairs)
    if values is None:
        values = low + (high - low) * draw.uniform(order.seed, CHECK, _INPUTS, (_DRAWN, *shape))
    names = [pair.target.name for pair in pairs]
    measured = realise.measure(precise, built, names, values)
    masks = {
        realise.masked_name(pair): realise.module_mask(pair, exact.get_submodule(pair.target.name))
        for pair in pairs
    }
    return Approximation(
        model=built,
        mask=masks,
        input_shape=shape,
        method=method,
        seed=order.seed,
        target=exact,
        pairs=tuple(pairs),
        certificate=certify(method, order, chain, pairs, measured, values),
    )


def certify(
    method: str,
    order: Order,
    chain: Chain,
    pairs: list[Pair],
    measured: tuple[float, list[float]],
    inputs: Floats,
) -> Certificate:
    """The account of what was built."""
    bounds, own = propagate(chain, pairs)
    worst, each = measured
    layers = tuple(
        LayerCertificate(
            name=pair.target.name,
            weights=pair.target.weight.size,
            instances=pair.instances,
            failures=pair.failures,
            scale=pair.scale,
            candidates=pair.candidates,
            kept=pair.kept,
            fixed=pair.fixed.size,
            dense=pair.dense,
            weight_error=np.abs(pair.error).max(axis=-1),
            bound=reached,
            promised=promised,
            measured=seen,
            pair=pair,
        )
        for pair, (reached, promised), seen in zip(pairs, own, each, strict=True)
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
        input_range=(chain.low, chain.high),
        notes=tuple(_notes(chain, pairs)),
    )


def _notes(chain: Chain, pairs: list[Pair]) -> list[str]:
    from xbar.pruning.constructions.realise import is_large

    notes = ["biases stay digital"]
    for pair in pairs:
        name = pair.target.name
        if pair.scale > 1.0:
            why = "its largest weight" if pair.kind == "gates" else "the l1 norm of its kernels"
            notes.append(
                f"{name}: {why} is above the theorem's 1, so weights were divided by "
                f"{pair.scale:g}, and the second random layer is of U(-{pair.scale:g}, "
                f"{pair.scale:g})"
            )
        if not pair.target.nonnegative:
            notes.append(f"{name}: inputs may be negative, so s(x) and s(-x) are both built")
        if is_large(pair):
            notes.append(
                f"{name}: {pair.candidates:,} random weights are too many for a module; it holds "
                "what its subsets sum to"
            )
    return notes


def _check(method: str, epsilon: float, samples: int, minimise: str, group: int) -> Construct:
    if method not in _METHODS:
        raise SpecError(f"method must be one of {', '.join(_METHODS)}, not {method!r}")
    if not (math.isfinite(epsilon) and epsilon > 0):
        raise SpecError(f"epsilon must be finite and above 0, not {epsilon!r}")
    for name, value in (("samples", samples), ("group", group)):
        if not isinstance(value, int) or value < 1:
            raise SpecError(f"{name} must be a whole number from 1 on, not {value!r}")
    check_minimise(minimise)
    return _METHODS[method]


def _sequential(model: nn.Module) -> nn.Module:
    from collections import OrderedDict

    from torch import nn

    if isinstance(model, (nn.Linear, nn.Conv2d)):
        return nn.Sequential(OrderedDict(layer=model))
    check_chain(model)
    return model


def _check_inputs(inputs: ArrayLike, input_range: tuple[float, float]) -> Floats:
    array = np.asarray(inputs, np.float64)
    if array.ndim < 2 or not array.size or not np.isfinite(array).all():
        raise SpecError(f"inputs must be finite numbers (N, ...), not of shape {array.shape}")
    low, high = array.min(), array.max()
    if low < input_range[0] or high > input_range[1]:
        raise SpecError(
            f"inputs lie between {low:g} and {high:g} and must lie within input_range "
            f"{input_range}; scale them, or state the range"
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
