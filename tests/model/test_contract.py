"""Products that sum over any axes are layers, and are what numpy and PyTorch compute."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from xbar.model.contract import Contraction
from xbar.model.read import from_module

torch = pytest.importorskip("torch")
nn = torch.nn


@st.composite
def contractions(draw):
    """Labels of activations, a constant and their product, with sizes."""
    roles = {label: draw(st.sampled_from("fgkos")) for label in "abcdef"}
    roles["a"], roles["b"] = "f", "k"
    sizes = {label: draw(st.integers(1, 3)) for label in roles}
    sizes["b"] = 2
    x = draw(st.permutations([label for label, role in roles.items() if role in "fgks"]))
    w = draw(st.permutations([label for label, role in roles.items() if role in "gko"]))
    out = draw(st.permutations([label for label, role in roles.items() if role in "fgo"]))
    return tuple(x), tuple(w), tuple(out), sizes


@settings(max_examples=100, deadline=None)
@given(contractions(), st.integers(0, 99))
def test_a_contraction_is_numpys_einsum(case, seed):
    x, w, out, sizes = case
    rng = np.random.default_rng(seed)
    left = rng.normal(size=[sizes[label] for label in x])
    right = rng.normal(size=[sizes[label] for label in w])
    found = Contraction.read(x, w, out, right.shape)
    assert isinstance(found, Contraction)
    matrix = found.matrix(right.transpose(found.order(w)))
    got = found.fold(np.einsum("goi,ngi->ngo", matrix, found.unfold(left)), left.shape)
    want = np.einsum(f"{''.join(x)},{''.join(w)}->{''.join(out)}", left, right)
    np.testing.assert_allclose(got, want, atol=1e-12)
    assert found.positions(want.shape) == len(found.unfold(left))


@pytest.mark.parametrize(
    ("x", "w", "out", "reason"),
    [
        ("ab", "cd", "abcd", "sums nothing"),
        ("aab", "bc", "ac", "takes a diagonal"),
        ("ab", "bcd", "ac", "over an axis that the activations do not have"),
    ],
)
def test_what_is_no_product_with_a_matrix_has_its_reason(x, w, out, reason):
    found = Contraction.read(tuple(x), tuple(w), tuple(out), (2,) * len(w))
    assert isinstance(found, str)
    assert reason in found


class Product(nn.Module):
    def __init__(self, function, *shape):
        super().__init__()
        self.w, self.function = nn.Parameter(torch.randn(*shape)), function

    def forward(self, x):
        return self.function(x, self.w)


PRODUCTS = {
    "on the left": (lambda x, w: (w @ x.t()).t(), (5, 16), (1, 5, 16)),
    "on the left of a batch": (lambda x, w: w @ x.view(-1, 4, 4), (5, 4), (1, 5, 4)),
    "of linear on the left": (
        lambda x, w: nn.functional.linear(w, x).t(), (5, 16), (1, 5, 16),
    ),
    "added on the left": (
        lambda x, w: torch.addmm(torch.ones(5, 1), w, x.t()).t(), (5, 16), (1, 5, 16),
    ),
    "a row": (lambda x, w: torch.stack([x @ w, x @ w], 1), (16,), (1, 1, 16)),
    "a batch": (
        lambda x, w: torch.bmm(x.view(-1, 4, 4).transpose(0, 1), w).transpose(0, 1),
        (4, 4, 5),
        (4, 5, 4),
    ),
    "a batch, and a sum": (
        lambda x, w: torch.baddbmm(torch.ones(4, 1, 5), x.view(-1, 4, 4).transpose(0, 1), w)
        .transpose(0, 1),
        (4, 4, 5),
        (4, 5, 4),
    ),
    "a broadcast batch": (lambda x, w: x.view(-1, 1, 4, 4) @ w, (3, 4, 5), (3, 5, 4)),
    "a batch on the left": (lambda x, w: w @ x.view(-1, 4, 4, 1), (4, 5, 4), (4, 5, 4)),
    "einsum": (lambda x, w: torch.einsum("bi,oi->bo", x, w), (5, 16), (1, 5, 16)),
    "einsum with an ellipsis": (
        lambda x, w: torch.einsum("...i,io", x.view(-1, 2, 8), w), (8, 3), (1, 3, 8),
    ),
    "einsum of heads": (
        lambda x, w: torch.einsum("bhi,hio->bho", x.view(-1, 4, 4), w), (4, 4, 3), (4, 3, 4),
    ),
    "einsum of two summed axes": (
        lambda x, w: torch.einsum("oij,bij->bo", w, x.view(-1, 4, 4)), (3, 4, 4), (1, 3, 16),
    ),
    "einsum over a graph": (
        lambda x, w: torch.einsum("vw,ncvt->ncwt", w, x.view(-1, 2, 4, 2)), (4, 4), (1, 4, 4),
    ),
    "tensordot": (
        lambda x, w: torch.tensordot(x.view(-1, 4, 4), w, dims=([1, 2], [0, 1])),
        (4, 4, 3),
        (1, 3, 16),
    ),
    "inner": (lambda x, w: torch.inner(x, w), (3, 16), (1, 3, 16)),
}  # fmt: skip


@pytest.mark.parametrize("kind", PRODUCTS)
def test_a_product_with_a_constant_is_a_layer(kind):
    torch.manual_seed(0)
    function, shape, matrix = PRODUCTS[kind]
    module, x = Product(function, *shape), torch.randn(5, 16)
    graph = from_module(module, (16,))
    assert [(layer.name, layer.matrix.shape) for layer in graph.layers] == [("w", matrix)]
    assert graph.digital == ()
    rows = 0

    def multiply(_, v):
        nonlocal rows
        rows += len(v)
        return np.einsum("goi,ngi->ngo", graph.layers[0].matrix, v)

    want = module(x).detach().numpy()
    np.testing.assert_allclose(graph.run(x, multiply), want, atol=1e-5 * np.abs(want).max())
    assert rows == 5 * graph.layers[0].positions


class Factors(nn.Module):
    """A weight that is never formed: three factors, and a scaled sum."""

    def __init__(self):
        super().__init__()
        self.core, self.bias = nn.Parameter(torch.randn(3, 2)), nn.Parameter(torch.randn(5))
        self.left, self.right = nn.Parameter(torch.randn(16, 3)), nn.Parameter(torch.randn(2, 5))
        self.out = nn.Parameter(torch.randn(5, 4))

    def forward(self, x):
        y = torch.einsum("bi,ir,rs,so->bo", x, self.left, self.core, self.right)
        return torch.addmm(self.bias[:4], torch.tanh(y + self.bias), self.out, beta=0.5, alpha=2)


def test_constant_factors_are_multiplied_and_scales_go_into_the_weight():
    torch.manual_seed(0)
    module, x = Factors(), torch.randn(5, 16)
    graph = from_module(module, (16,))
    assert graph.digital == ()
    found = [(layer.name, layer.matrix.shape) for layer in graph.layers]
    assert found == [("left", (1, 5, 16)), ("out", (1, 4, 5))]
    matrices = {layer.name: layer.matrix for layer in graph.layers}
    got = graph.run(x, lambda name, v: np.einsum("goi,ngi->ngo", matrices[name], v))
    np.testing.assert_allclose(got, module(x).detach(), atol=1e-4)


def test_factors_that_would_make_a_much_larger_constant_stay_apart():
    class Thin(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Parameter(torch.randn(600, 1)), nn.Parameter(torch.randn(1, 600))

        def forward(self, x):
            return torch.einsum("bi,ir,ro->bo", x, self.a, self.b)

    graph = from_module(Thin(), (600,))
    assert graph.layers == ()
    assert [reason for _, reason in graph.digital] == ["it multiplies 3 factors at once"]


def test_a_matrix_multiplied_in_several_ways_is_one_layer():
    torch.manual_seed(0)

    def both(x, w):
        return torch.einsum("bi,oi->bo", x, w) + x @ w.t() + (w @ x.t()).t()

    graph = from_module(Product(both, 5, 16), (16,))
    assert [len(layer.nodes) for layer in graph.layers] == [3]


@pytest.mark.parametrize(
    ("function", "shape", "reason"),
    [
        (lambda x, w: torch.einsum("bi,oi,bi->bo", x, w, x), (5, 16), "3 factors at once"),
        (lambda x, w: x[:, :, None] @ w, (1, 3), None),
        (lambda x, w: w @ x[:, None, :], (3, 1), "sums nothing"),
        (
            lambda x, w: nn.functional.linear(x, x.sum() * w),
            (5, 16),
            "its weight is not a constant: mul (aten.mul.Tensor) depends on the input",
        ),
        (
            lambda x, w: torch.addmm(torch.ones(5), x, w.t(), beta=0.0),
            (5, 16),
            "alpha or beta",
        ),
        (lambda x, w: (x @ x.t()) @ x, (1,), "both factors are activations"),
    ],
)
def test_a_product_that_stays_digital_says_the_true_reason(function, shape, reason):
    torch.manual_seed(0)
    graph = from_module(Product(function, *shape), (16,))
    reasons = [why for _, why in graph.digital]
    assert all(reason in why for why in reasons) if reason else reasons == []
    assert bool(reasons) == bool(reason)
