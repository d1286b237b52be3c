"""Which of a model's inputs the network takes, and which of its outputs it returns.

A graph has one input and one output. A model may have several of each: one output is chosen by its
name, and every other input is bound, that is, given once and a constant from then on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from xbar.arrays import real
from xbar.errors import ModelError, SpecError
from xbar.tables import quoted

Array: TypeAlias = NDArray[Any]
Shape: TypeAlias = tuple[int | None, ...]

_MOST = 1 << 28
"""Maximum number of elements of a bound input: 1 GiB in float32."""
_BY_PRODUCTS = frozenset(
    "cache past_key_values hidden_states attentions cross_attentions encoder_last_hidden_state "
    "encoder_hidden_states encoder_attentions decoder_hidden_states decoder_attentions "
    "router_logits".split()
)
"""Names that Hugging Face's models give to what they return beside the logits."""


@dataclass(frozen=True, eq=False)
class Wanted:
    """The caller's choice among a model's inputs and outputs.

    Attributes:
        output: name of the output, or its number from 0; None where there is only one.
        bind: values of inputs by name.
    """

    output: str | None = None
    bind: Mapping[str, Array] = field(default_factory=dict)

    def refuse(self, where: str) -> None:
        """Refuse the choice for a file that can't have several inputs or outputs."""
        if self.output is not None or self.bind:
            given = "output" if self.output is not None else "bind"
            raise SpecError(
                f"{where}: this file has one input and one output without names; leave out {given}"
            )

    def input_of(self, names: Sequence[str], where: str) -> str:
        """The one input that is not bound.

        Args:
            names: names of the model's inputs.
            where: file name for messages.

        Raises:
            SpecError: an unknown name is bound, or every input is.
            ModelError: the model takes none, or more than one is left.
        """
        unknown = next((name for name in self.bind if name not in names), None)
        if unknown is not None:
            raise SpecError(
                f"{where}: the model has no input {unknown[:60]!r} to bind; it takes {_few(names)}"
            )
        left = [name for name in names if name not in self.bind]
        if len(left) == 1:
            return left[0]
        if not names:
            raise ModelError(f"{where}: a network must take one tensor, but this model takes none")
        if not left:
            raise SpecError(
                f"{where}: a network must take one tensor, but all of {_few(names)} are bound; "
                "leave out the one that varies"
            )
        raise ModelError(
            f"{where}: a network must take one tensor, not {len(left)} ({_few(left)}); give the "
            "others a value once: --bind NAME=VALUE, or read_model(bind={name: array})"
        )

    def output_of(self, names: Sequence[Sequence[str]], where: str) -> tuple[int, tuple[str, ...]]:
        """Number of the output that is returned, and what was assumed.

        Of a language model's outputs the logits are taken where all others are their by-products:
        caches, hidden states, attention weights.

        Args:
            names: names of each output, the first for messages.
            where: file name for messages.

        Raises:
            SpecError: no output has the name.
            ModelError: the model returns none, or several without a name being given.
        """
        listed = _few([each[0] for each in names])
        if self.output is None:
            if len(names) == 1:
                return 0, ()
            main = [i for i, each in enumerate(names) if each[0] == "logits"]
            rest = {each[0].split(".")[0] for each in names} - {"logits"}
            if len(main) == 1 and rest <= _BY_PRODUCTS:
                return main[0], (f"of the model's {len(names)} outputs 'logits' is taken",)
            which = f"; choose one of {listed} with --take NAME, or read_model(output=NAME)"
            raise ModelError(
                f"{where}: a network must return one tensor, not {len(names) or 'none'}"
                f"{which if names else ''}"
            )
        found = [i for i, each in enumerate(names) if self.output in each]
        if not found and self.output.isdecimal() and int(self.output) < len(names):
            found = [int(self.output)]
        if len(found) != 1:
            many = "several outputs are" if found else "no output is"
            raise SpecError(
                f"{where}: {many} called {self.output[:60]!r}; the model returns {listed}"
            )
        return found[0], ()

    def value(
        self, name: str, shape: Shape | None, dtype: str, where: str, batch: int | None = None
    ) -> Array:
        """A bound input as the model takes it.

        A single number fills a shape that is known; leading axes of size 1 may be left out. Where
        the batch size is fixed, one value is repeated for all inputs.

        Args:
            name: name of the input.
            shape: shape in the model, None for sizes that are not fixed; None if unknown.
            dtype: numpy name of the type in the model.
            where: file name for messages.
            batch: batch size, if the model has a fixed one.

        Raises:
            SpecError: the value has another shape, or can't be converted without a change.
        """
        given = self.bind[name]
        array = _cast(given, dtype, f"{where}: bind {name}")
        if shape is None:
            return array
        if array.ndim == 0 and shape:
            if None in shape:
                raise SpecError(
                    f"{where}: one number can't fill the input {name!r} of shape {_show(shape)}; "
                    "bind an array, or give --input-shape"
                )
            array = _filled(array, tuple(size or 0 for size in shape), f"{where}: bind {name}")
        padded = (1,) * (len(shape) - array.ndim) + array.shape
        if batch is not None and padded[:1] == (1,) and shape[:1] == (batch,):
            padded = (batch, *padded[1:])
        if len(padded) != len(shape) or any(
            want is not None and want != got for want, got in zip(shape, padded, strict=True)
        ):
            raise SpecError(
                f"{where}: the input {name!r} has the shape {_show(shape)}, not {given.shape} "
                "as bound"
            )
        whole = (1,) * (len(shape) - array.ndim) + array.shape
        return np.array(np.broadcast_to(array.reshape(whole), padded))


def _filled(number: Array, shape: tuple[int, ...], what: str) -> Array:
    if math.prod(shape) > _MOST:
        raise SpecError(f"{what}: an input of {math.prod(shape)} numbers is too large to fill")
    return np.broadcast_to(number, shape)


def _show(shape: Shape) -> str:
    sizes = ", ".join("?" if size is None else str(size) for size in shape)
    return f"({sizes}{',' if len(shape) == 1 else ''})"


def note_rows(name: str, array: Array, batch: int | None) -> tuple[str, ...]:
    """What is assumed of a bound input whose rows differ, where the batch size is fixed."""
    if batch is None or batch < 2 or array.shape[:1] != (batch,) or (array == array[:1]).all():
        return ()
    rows = f"{name} is bound to {batch} different rows: input i of the network meets row i modulo "
    return (f"{rows}{batch}, if its first axis is the batch",)


def check_bind(bind: Mapping[str, ArrayLike] | None) -> dict[str, Array]:
    """The caller's values as arrays of numbers.

    Raises:
        SpecError: it is not a mapping from names to numbers.
    """
    if bind is None:
        return {}
    if not isinstance(bind, Mapping) or not all(isinstance(name, str) for name in bind):
        raise SpecError(f"bind must be values by input name, not {str(bind)[:60]!r}")
    return {name: real(value, f"bind {name}") for name, value in bind.items()}


def _cast(array: Array, dtype: str, what: str) -> Array:
    """The same numbers in another type; changes other than rounding to a float are refused."""
    with np.errstate(all="ignore"):
        cast = array.astype(dtype)
    same = np.array_equal(cast, array)
    if cast.dtype.kind == "f":  # rounded, but neither missing nor turned infinite
        same = not np.isnan(cast).any() and np.array_equal(np.isinf(cast), np.isinf(array))
    if not same:
        raise SpecError(f"{what} must be numbers of type {dtype}, without NaN, not {array.dtype}")
    return cast


def _few(names: Sequence[str]) -> str:
    """Names for a message."""
    return quoted([name[:60] for name in names], 16)
