"""The allow-list of operations in a graph.

A graph comes from a file, so only operations that compute on their arguments are allowed: ATen
operations, except those that access files or raw memory, and a few scalar functions that
``torch.export`` writes for symbolic sizes. Names are text such as ``aten.conv2d.default``.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from xbar.errors import ModelError, UntrustedFileError

_ATEN = re.compile(r"aten\.([A-Za-z0-9_]+)\.[A-Za-z0-9_]+")

_OPERATORS = "getitem add sub mul floordiv truediv mod neg pos abs eq ne lt le gt ge and_ or_ not_"

NUMERIC: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        **{f"operator.{name}": getattr(operator, name) for name in _OPERATORS.split()},
        **{f"math.{name}": getattr(math, name) for name in ("ceil", "floor", "trunc", "sqrt")},
        "torch.sym_max": max,
        "torch.sym_min": min,
        "torch.sym_int": int,
        "torch.sym_float": float,
        "torch.sym_not": operator.not_,
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
