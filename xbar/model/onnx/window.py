"""Windows of convolutions and pools: strides, dilations, padding, and the size of the result.

pads_before + size + pads_after = (windows - 1) stride + (kernel - 1) dilation + 1 + what is left
"""

from __future__ import annotations

from dataclasses import dataclass

from xbar.errors import ModelError
from xbar.model.graph import Ref
from xbar.model.onnx.context import Context, Operator, Value

Pads = list[tuple[int, int]]
"""Padding before and after each spatial axis."""


MOST = 1 << 16
"""Elements of a window, and of padding, along one axis."""


@dataclass(frozen=True)
class Window:
    """A window that moves over the spatial axes.

    Attributes:
        kernel, strides, dilations: one each axis.
        pads: padding before and after each axis.
    """

    kernel: tuple[int, ...]
    strides: tuple[int, ...]
    dilations: tuple[int, ...]
    pads: Pads

    @classmethod
    def read(
        cls, context: Context, operator: Operator, x: Value, kernel: tuple[int, ...]
    ) -> Window:
        """The window of an operator on x."""
        dims = len(kernel)
        if len(context.shape(x)) != dims + 2 or min(kernel, default=0) < 1:
            raise ModelError(f"its kernel {kernel} does not fit a value of {context.shape(x)}")
        strides, dilations = (each(operator, name, dims) for name in ("strides", "dilations"))
        if min(strides + dilations) < 1:
            raise ModelError(f"its strides are {strides}, its dilations {dilations}")
        pads = _pads(context, operator, x, (kernel, strides, dilations))
        largest = max(*kernel, *(pad for pair in pads for pad in pair))
        if largest > MOST:
            raise ModelError(f"its window or padding spans {largest}; the limit is {MOST}")
        return cls(kernel, strides, dilations, pads)

    @property
    def even(self) -> bool:
        """Whether padding before and after is the same."""
        return all(before == after for before, after in self.pads)

    @property
    def extent(self) -> tuple[int, ...]:
        """First to last element of a window, along each axis."""
        return tuple((k - 1) * d + 1 for k, d in zip(self.kernel, self.dilations, strict=True))

    def counts(self, sizes: tuple[int | None, ...], ceil: bool) -> tuple[int, ...]:
        """Number of windows along each axis.

        With ceil a last window may reach beyond the padding, but must start inside.
        """
        found = []
        for size, reach, stride, (before, after) in zip(
            sizes, self.extent, self.strides, self.pads, strict=True
        ):
            if size is None:
                raise ModelError("its windows move over the batch")
            room = before + size + after - reach
            count = (-(-room // stride) if ceil else room // stride) + 1
            if ceil and (count - 1) * stride >= before + size:
                count -= 1
            if count < 1:
                raise ModelError(f"its window of {reach} is larger than the padded size")
            found.append(count)
        return tuple(found)


def kernel_shape(operator: Operator, weight: tuple[int | None, ...]) -> tuple[int, ...]:
    """Kernel of a convolution: its weight's, which the attribute must repeat."""
    kernel = tuple(size or 0 for size in weight[2:])
    given = operator.attributes.get("kernel_shape")
    if given is not None and tuple(given) != kernel:
        raise ModelError(f"its kernel_shape is {given}, but its weight's is {kernel}")
    if len(kernel) not in (1, 2, 3):
        raise ModelError(f"it has {len(kernel)} spatial axes")
    return kernel


def each(operator: Operator, name: str, dims: int, default: int = 1) -> tuple[int, ...]:
    """An attribute with one number for each spatial axis."""
    values = tuple(int(one) for one in operator.attributes.get(name, [default] * dims))
    if len(values) != dims:
        raise ModelError(f"its {name} are {values} for {dims} axes")
    return values


def padded(context: Context, x: Ref, pads: Pads, value: float) -> tuple[Ref, tuple[int, ...]]:
    """Activations and remaining padding: uneven padding becomes a separate operation."""
    if all(before == after for before, after in pads):
        return x, tuple(before for before, _ in pads)
    flat = tuple(pad for pair in reversed(pads) for pad in pair)
    return context.add("constant_pad_nd.default", x, flat, value), (0,) * len(pads)


def _pads(
    context: Context, operator: Operator, x: Value, window: tuple[tuple[int, ...], ...]
) -> Pads:
    dims, mode = len(window[0]), operator.text("auto_pad")
    given = [int(pad) for pad in operator.attributes.get("pads", [0] * 2 * dims)]
    if mode in ("NOTSET", ""):
        if len(given) != 2 * dims or min(given) < 0:
            raise ModelError(f"its pads are {given}")
        return list(zip(given[:dims], given[dims:], strict=True))
    if any(given):
        raise ModelError(f"it has pads and auto_pad {mode[:20]}")
    if mode == "VALID":
        return [(0, 0)] * dims
    found: Pads = []
    for size, k, s, d in zip(context.shape(x)[2:], *window, strict=True):
        if size is None or mode not in ("SAME_UPPER", "SAME_LOWER"):
            raise ModelError(f"its auto_pad {mode} can't be resolved")
        total = max((-(-size // s) - 1) * s + (k - 1) * d + 1 - size, 0)
        less, more = total // 2, total - total // 2
        found.append((less, more) if mode == "SAME_UPPER" else (more, less))
    return found
