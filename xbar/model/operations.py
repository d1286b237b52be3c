"""The allow-list of operations in a graph.

A graph comes from a file, so only operations that compute on their arguments are allowed: ATen
operations, except those that access files or raw memory, and a few scalar functions that
``torch.export`` writes for symbolic sizes. Names are text such as ``aten.conv2d.default``.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from xbar.errors import ModelError, UntrustedFileError

_ATEN = re.compile(r"aten\.([A-Za-z0-9_]+)\.[A-Za-z0-9_]+")

_LARGEST = 1 << 63
"""Bound of whole numbers: a chain of products must not grow into memory."""


_SYMBOLS = ("SymInt", "SymFloat", "SymBool")
"""PyTorch's numbers that stand for any, while a graph is exported; no file has them."""


def _of_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function on plain numbers only: of lists and texts "+" and "*" could fill the memory."""

    def is_number(value: object) -> bool:
        return isinstance(value, (bool, int, float)) or type(value).__name__ in _SYMBOLS

    def call(*values: Any) -> Any:
        if not all(map(is_number, values)):
            raise TypeError("the operands must be numbers")
        result = function(*values)
        if isinstance(result, int) and abs(result) >= _LARGEST:
            raise OverflowError("the result is beyond 64 bits")
        return result

    return call


def _power(base: float, exponent: float) -> float:
    whole = isinstance(base, int) and isinstance(exponent, int)
    if whole and abs(base) > 1 and exponent > 64:
        raise OverflowError("the result is beyond 64 bits")
    return float(base**exponent) if not whole or exponent < 0 else base**exponent


def _shift(value: int, places: int) -> int:
    if places > 64:
        raise OverflowError("the result is beyond 64 bits")
    return value << places


def _choose(condition: bool, yes: float, no: float) -> float:
    return yes if condition else no


def _sum(values: Sequence[float]) -> Any:
    return _of_numbers(lambda *each: sum(each))(*values)


_OPERATORS = (
    "add sub mul floordiv truediv mod neg pos abs eq ne lt le gt ge and_ or_ xor not_ invert "
    "inv rshift truth"
)
_FUNCTIONS = (
    "acos asin atan ceil cos cosh exp floor log log10 log1p log2 sin sinh sqrt tan tanh trunc"
)

NUMERIC: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "operator.getitem": operator.getitem,
        **{f"operator.{name}": _of_numbers(getattr(operator, name)) for name in _OPERATORS.split()},
        "operator.pow": _of_numbers(_power),
        "operator.lshift": _of_numbers(_shift),
        **{
            f"{prefix}{name}": _of_numbers(getattr(math, name))
            for name in _FUNCTIONS.split()
            for prefix in ("math.", "torch.sym_", "torch._sym_")
        },
        "math.pow": _of_numbers(math.pow),
        "round": _of_numbers(round),
        "builtins.round": _of_numbers(round),
        "builtins.max": _of_numbers(max),
        "builtins.min": _of_numbers(min),
        "torch.sym_max": _of_numbers(max),
        "torch.sym_min": _of_numbers(min),
        "torch.sym_int": _of_numbers(int),
        "torch.sym_float": _of_numbers(float),
        "torch.sym_not": _of_numbers(operator.not_),
        "torch.sym_ite": _of_numbers(_choose),
        "torch.sym_sum": _sum,
    }
)
"""Scalar functions, by their names in a graph."""

_REACHES_OUT = frozenset(
    str.split(
        "from_file save set_ set set_data manual_seed warn resize resize_ resize_as "
        "resize_as_ resize_as_sparse resize_as_sparse_ sparse_resize_ "
        "sparse_resize_and_clear_ sym_storage_offset set_grad_enabled"
    )
)
"""ATen names that read or write files, replace a tensor's storage, or change global state."""

_INTERNAL = frozenset(
    str.split(
        "_softmax _log_softmax _safe_softmax _to_copy _unsafe_view _reshape_alias "
        "_weight_norm _weight_norm_interface _conj _shape_as_tensor _adaptive_avg_pool2d "
        "_adaptive_avg_pool3d _native_batch_norm_legit _native_batch_norm_legit_no_training "
        "_convolution _prelu_kernel _unsafe_index _unsafe_masked_index "
        "_assert_tensor_metadata _assert_scalar _assert_async _functional_assert_scalar "
        "_functional_assert_async _is_all_true _is_any_true _trilinear _cdist_forward "
        "_euclidean_dist _pdist_forward _embedding_bag _fused_rms_norm "
        "_upsample_bilinear2d_aa _upsample_bicubic2d_aa _upsample_nearest_exact1d "
        "_upsample_nearest_exact2d _upsample_nearest_exact3d _fft_c2c _fft_c2r _fft_r2c "
        "__and__ __or__ __xor__ __lshift__ __rshift__ "
        "__iand__ __ior__ __ixor__ __ilshift__ __irshift__ "
        "_addmm_activation _aminmax _batch_norm_no_update _cast_Byte _cast_Char _cast_Double "
        "_cast_Float _cast_Half _cast_Int _cast_Long _cast_Short _convolution_mode "
        "_embedding_bag_forward_only _functional_sym_constrain_range "
        "_functional_sym_constrain_range_for_size _grouped_mm _int_mm _linalg_det _linalg_eigh "
        "_linalg_slogdet _linalg_solve_ex _linalg_svd _logcumsumexp _masked_softmax "
        "_pad_circular _pad_enum _reshape_copy _stack _to_cpu _unique2 _unsafe_index_put "
        "_transformer_encoder_layer_fwd _native_multi_head_attention _local_scalar_dense "
        "_scaled_dot_product_attention_math _scaled_dot_product_flash_attention_for_cpu"
    )
)
"""Allowed ATen names with a leading underscore, as found in exported networks."""


def check_operation(op: str, where: str) -> None:
    """Reject an operation that is not on the allow-list.

    Args:
        op: operation, such as ``aten.relu.default``.
        where: name of its node, for the message.

    Raises:
        UntrustedFileError: it would access files, raw memory or global state.
        ModelError: it is not an ATen operation.

    >>> check_operation("aten.relu.default", "relu_1")
    >>> check_operation("aten.from_file.default", "weights")
    Traceback (most recent call last):
    ...
    xbar.errors.UntrustedFileError: weights: the graph calls aten.from_file.default, which ...
    """
    if op in NUMERIC:
        return
    match = _ATEN.fullmatch(op)
    if match is None:
        raise ModelError(
            f"{where}: a graph may call ATen operations only, not {op[:80]!r}; "
            "export the model with operations of PyTorch itself"
        )
    name = match.group(1)
    if name in _REACHES_OUT or (name.startswith("_") and name not in _INTERNAL):
        raise UntrustedFileError(
            f"{where}: the graph calls {op}, which is not a pure function of its arguments "
            "and is not run; export the model without it"
        )


UNWRITTEN = frozenset(
    "empty empty_like empty_permuted empty_strided new_empty new_empty_strided".split()
)
"""Operations that leave the memory of their value unwritten."""


def is_in_place(op: str) -> bool:
    """Whether an operation changes its first argument.

    >>> [is_in_place(f"aten.{name}.default") for name in ("add_", "__iand__", "add", "__and__")]
    [True, True, False, False]
    """
    match = _ATEN.fullmatch(op)
    name = match.group(1) if match else ""
    return name.startswith("__i") if name.startswith("__") else name.endswith("_")


def has_effect(op: str) -> bool:
    """Whether an operation acts beyond its value: in place, or as an assertion."""
    return is_in_place(op) or (op.startswith("aten.") and "assert" in op)
