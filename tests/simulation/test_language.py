"""Metrics by token against PyTorch's losses, and the loop that people write for perplexity."""

from __future__ import annotations

import math

import numpy as np
import pytest

import xbar
from xbar.errors import FileError, SpecError, XbarWarning
from xbar.simulation.cost import cost
from xbar.simulation.dataset import read_dataset
from xbar.simulation.language import built_in
from xbar.simulation.tokens import Windows, vocabulary
from xbar.simulation.verify import activations

torch = pytest.importorskip("torch")

WORDS, WIDTH = 11, 12
STREAM = np.random.default_rng(7).integers(0, WORDS, 90)


class Language(torch.nn.Module):
    """A decoder of one layer: each place sees those before it, and its own."""

    def __init__(self, causal=True):
        super().__init__()
        self.words = torch.nn.Embedding(WORDS, WIDTH)
        self.query, self.key, self.value = (torch.nn.Linear(WIDTH, WIDTH) for _ in range(3))
        self.head = torch.nn.Linear(WIDTH, WORDS)
        self.causal = causal

    def forward(self, tokens):
        x = self.words(tokens)
        q, k, v = (each(x)[:, None] for each in (self.query, self.key, self.value))
        mixed = torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        return self.head(x + 3 * mixed[:, 0])


def compiled(module, shape, **options):
    graph = xbar.model.from_module(module, shape, input_dtype="int64")
    hardware = xbar.Hardware(bank=xbar.hardware.Bank(resistors=4), **options)
    return xbar.compile(graph, hardware, seed=1)


@pytest.fixture(scope="module")
def module():
    torch.manual_seed(4)
    return Language().eval()


@pytest.fixture(scope="module")
def program(module):
    return compiled(module, (16,))


def logits(module, tokens):
    with torch.no_grad():
        return module(torch.as_tensor(tokens))


def losses(found, labels):
    """-log p of each label (N, T) by PyTorch."""
    flat = torch.nn.functional.cross_entropy(
        torch.as_tensor(found).double().flatten(0, 1), labels.flatten(), reduction="none"
    )
    return flat.reshape(labels.shape)


def test_perplexity_of_rows_is_that_of_pytorchs_loss(module, program):
    rows = STREAM[:80].reshape(5, 16)
    labels = torch.as_tensor(rows[:, 1:])
    result = xbar.simulate(program, rows, metric="perplexity")
    want = losses(logits(module, rows)[:, :-1], labels).mean().exp()
    assert result.digital_score == pytest.approx(want.item(), rel=1e-6)
    analog = losses(program.run(rows)[:, :-1], labels)
    assert result.score == pytest.approx(analog.mean().exp().item(), rel=1e-6)
    assert result.score != pytest.approx(result.digital_score, rel=1e-4)
    low, high = result.interval
    assert low < result.score < high
    # rows of equal length: the interval is Student's of the rows' means
    means = analog.mean(dim=1).numpy()
    half = 2.7764451052 * means.std(ddof=1) / math.sqrt(5)
    assert (low, high) == pytest.approx(
        (math.exp(means.mean() - half), math.exp(means.mean() + half))
    )


@pytest.mark.parametrize("stride", [16, 7, 1])
def test_perplexity_of_a_stream_is_that_of_the_loop_over_windows(module, program, stride):
    result = xbar.simulate(program, STREAM, metric="perplexity", stride=stride)
    total, scored, done = 0.0, 0, 0
    for begin in range(0, len(STREAM), stride):
        end = min(begin + 16, len(STREAM))
        begin = end - 16  # the last window reaches back
        rows = torch.as_tensor(STREAM[None, begin:end])
        each = losses(logits(module, rows)[:, :-1], rows[:, 1:])[0]
        new = [i for i in range(15) if begin + i + 1 >= done]
        total, scored, done = total + float(each[new].sum()), scored + len(new), end
        if end == len(STREAM):
            break
    assert result.digital_score == pytest.approx(math.exp(total / scored), rel=1e-6)
    # with any overlap every token but the first is scored
    assert scored == (len(STREAM) - 1 if stride < 16 else len(STREAM) - 6 + 1)
    assert any("windows of 16 tokens" in note for note in result.notes)


def test_top_k_counts_labels_among_the_largest(module, program):
    rows = STREAM[:80].reshape(5, 16)
    found = logits(module, rows)[:, :-1].topk(3).indices
    want = (found == torch.as_tensor(rows[:, 1:, None])).any(dim=-1).double().mean()
    result = xbar.simulate(program, rows, metric="top-3")
    assert result.digital_score == pytest.approx(want.item())
    assert f"{100 * want:.2f} %" in str(result)


def test_agreement_and_divergence_compare_every_place_with_the_digital_network(module, program):
    rows = STREAM[:80].reshape(5, 16)
    exact, found = logits(module, rows).double(), torch.as_tensor(program.run(rows))
    same = (exact.argmax(-1) == found.argmax(-1)).double().mean()
    result = xbar.simulate(program, rows, metric="agreement")
    assert (result.score, result.digital_score) == (pytest.approx(same.item()), 1.0)
    assert 0 < result.score < 1
    apart = torch.nn.functional.kl_div(
        found.log_softmax(-1), exact.log_softmax(-1), reduction="none", log_target=True
    )
    result = xbar.simulate(program, rows, metric="kl")
    assert result.score == pytest.approx(apart.sum(-1).mean().item(), rel=1e-5)
    assert result.digital_score == 0.0


def test_labels_of_masked_places_are_scored_where_they_are_not_negative(module, program):
    rows = STREAM[:80].reshape(5, 16)
    labels = np.full(rows.shape, -100)
    labels[[0, 2, 2, 4], [3, 0, 15, 8]] = [1, 5, 9, 0]
    want = torch.nn.functional.cross_entropy(
        logits(module, rows).double().flatten(0, 1), torch.as_tensor(labels).flatten()
    )
    result = xbar.simulate(program, rows, labels, metric="perplexity")
    assert result.digital_score == pytest.approx(want.exp().item(), rel=1e-6)


@pytest.mark.parametrize("ahead", [1.0, 1e-3])
def test_a_network_that_looks_ahead_has_no_perplexity_of_next_tokens(ahead):
    torch.manual_seed(4)
    module = Language(causal=False).eval()
    with torch.no_grad():
        module.value.weight *= ahead
    program = compiled(module, (16,))
    with pytest.raises(SpecError, match="looks at what follows"):
        xbar.simulate(program, STREAM, metric="perplexity")
    assert xbar.simulate(program, STREAM, metric="agreement").score <= 1


def test_classes_by_input_have_top_k_agreement_and_divergence():
    torch.manual_seed(0)
    module = torch.nn.Sequential(torch.nn.Linear(6, 20), torch.nn.ReLU(), torch.nn.Linear(20, 7))
    program = xbar.compile(
        module, xbar.Hardware(bank=xbar.hardware.Bank(resistors=3)), seed=1, input_shape=(6,)
    )
    x = np.random.default_rng(0).standard_normal((60, 6)).astype(np.float32)
    labels = np.random.default_rng(1).integers(0, 7, 60)
    with torch.no_grad():
        exact = module(torch.from_numpy(x))
    top = (exact.topk(2).indices == torch.as_tensor(labels)[:, None]).any(-1).double().mean()
    assert xbar.simulate(program, x, labels, metric="top-2").digital_score == pytest.approx(top)
    first = xbar.simulate(program, x, labels, metric="top-1")
    assert first.score == xbar.simulate(program, x, labels).score
    same = (program.run(x).argmax(-1) == exact.numpy().argmax(-1)).mean()
    assert xbar.simulate(program, x, metric="agreement").score == pytest.approx(same)
    with pytest.raises(SpecError, match="perplexity needs labels"):
        xbar.simulate(program, x, metric="perplexity")


def test_several_chips_have_the_interval_of_their_values(program):
    rows = STREAM[:32].reshape(2, 16)
    result = xbar.simulate(program, rows, metric="perplexity", trials=3)
    assert len(set(result.accuracies)) == 3
    assert result.interval[0] < np.mean(result.accuracies) < result.interval[1]


def test_results_do_not_depend_on_the_size_of_batches(program, monkeypatch):
    one = xbar.simulate(program, STREAM, metric="kl", stride=3)
    monkeypatch.setattr("xbar.simulation.data.MOST_TOGETHER", 1000)
    monkeypatch.setattr("xbar.simulation.data.MOST_KEPT", 100)
    other = xbar.simulate(program, STREAM, metric="kl", stride=3)
    assert other.score == pytest.approx(one.score, rel=1e-12)
    assert other.interval == pytest.approx(one.interval, rel=1e-9)
    with pytest.raises(SpecError, match="too many here to be kept"):
        xbar.simulate(program, STREAM, metric="kl", budget=True)


def test_tokens_beyond_the_vocabulary_are_refused_with_their_place(program):
    assert vocabulary(program.graph) == WORDS
    rows = STREAM[:32].reshape(2, 16).copy()
    rows[1, 5] = WORDS
    with pytest.raises(SpecError, match=r"from 0 to 10, .*not 11 at place 5 of input 1; 1 token"):
        xbar.simulate(program, rows, metric="perplexity")
    stream = STREAM.copy()
    stream[40] = -3
    with pytest.raises(SpecError, match="not -3 at place 8 of window 2"):
        xbar.simulate(program, stream, metric="kl")
    with pytest.raises(SpecError, match="from 0 to 10"):
        xbar.simulate(program, rows)


def test_tokens_of_64_bits_without_sign_are_told_as_what_they_are(program):
    """Beyond what the network's own type can hold, and within it."""
    stream = STREAM.astype(np.uint64)
    plain = xbar.simulate(program, STREAM, metric="perplexity")
    assert xbar.simulate(program, stream, metric="perplexity").accuracies == plain.accuracies
    stream[40] = 2**64 - 3
    with pytest.raises(SpecError, match="not 18446744073709551613 at place 8 of window 2"):
        xbar.simulate(program, stream, metric="perplexity")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"window": 8}, "window must be 16"),
        ({"stride": 17}, "stride must be at most the window, 16"),
        ({"stride": 0}, "stride must be"),
        ({"tokens": 15}, "at least 16 tokens"),
        ({"metric": "perplexty"}, "metric must be perplexity, agreement, kl, top-5"),
        ({"metric": "top-0"}, "metric must be"),
    ],
)
def test_options_that_do_not_fit_are_refused(program, options, told):
    with pytest.raises(SpecError, match=told):
        xbar.simulate(program, STREAM, **{"metric": "kl", **options})


def test_tokens_that_are_no_whole_numbers_are_told(program):
    for tokens in (STREAM.astype(float), STREAM + 0.5, STREAM[:80].reshape(5, 16) + 0.5):
        with pytest.raises(SpecError, match="tokens must be whole numbers, not float64"):
            xbar.simulate(program, tokens, metric="perplexity")


def test_of_a_stream_beyond_the_memory_a_part_must_be_chosen(program):
    stream = np.broadcast_to(np.uint16(3), (1 << 40,))
    with pytest.raises(SpecError, match=r"for a stream of 1,099,511,627,776"):
        xbar.simulate(program, stream, metric="perplexity")
    some = xbar.simulate(program, stream, metric="perplexity", tokens=30)
    assert some.accuracy == xbar.simulate(program, stream[:30], metric="perplexity").accuracy


def test_windows_are_for_a_stream_only(program):
    with pytest.raises(SpecError, match="window must be left out unless the data are one stream"):
        xbar.simulate(program, STREAM[:32].reshape(2, 16), metric="kl", window=16)


def test_windows_cover_a_stream_once(program):
    for length, window, stride in ((90, 16, 16), (90, 16, 5), (17, 16, 16), (16, 16, 1)):
        cut, seen, _ = Windows(window, stride).cut(np.arange(length), program.graph)
        new = [cut[i, seen[i] :] for i in range(len(cut))]
        np.testing.assert_array_equal(np.concatenate(new), np.arange(length))


@pytest.mark.parametrize("dtype", ["uint16", "uint32"])
def test_tokens_without_a_header_are_read_as_their_type(tmp_path, program, dtype):
    STREAM.astype(dtype).tofile(tmp_path / "t.bin")
    np.save(tmp_path / "t.npy", STREAM.astype(np.int32))
    given = None if dtype == "uint16" else dtype
    found = read_dataset(tmp_path / "t.bin", tokens=WORDS, dtype=given)
    np.testing.assert_array_equal(found.inputs, STREAM)
    assert (given is None) == any("uint16" in note for note in found.notes)
    scores = [
        xbar.simulate(program, each.inputs, metric="kl", tokens=40).score
        for each in (found, read_dataset(tmp_path / "t.npy"))
    ]
    assert scores[0] == scores[1] == xbar.simulate(program, STREAM[:40], metric="kl").score


def test_many_words_need_wide_tokens(tmp_path):
    np.array([70000, 1], np.uint32).tofile(tmp_path / "t.bin")
    np.testing.assert_array_equal(
        read_dataset(tmp_path / "t.bin", tokens=100000).inputs, [70000, 1]
    )


def test_tokens_of_the_wrong_type_are_warned_of_or_refused(tmp_path):
    STREAM.astype(np.uint32).tofile(tmp_path / "t.bin")
    with pytest.warns(XbarWarning, match="every second token is 0"):
        read_dataset(tmp_path / "t.bin", tokens=WORDS)
    (tmp_path / "t.bin").write_bytes(b"abc")
    with pytest.raises(FileError, match="whole number of tokens"):
        read_dataset(tmp_path / "t.bin")
    with pytest.raises(SpecError, match=r"uint16 or uint32, is for \.bin files"):
        read_dataset(tmp_path / "t.bin", dtype="int8")


@pytest.mark.parametrize("metric", ["perplexity", "top-3", "agreement", "kl"])
def test_outputs_that_are_no_numbers_have_no_score(metric):
    broken = Language().eval()
    with torch.no_grad():
        broken.words.weight[4, 2] = math.nan
    made = compiled(broken, (9,))
    rows = np.full((2, 9), 5)
    assert xbar.simulate(made, rows, metric=metric).accuracy is not None
    rows[1, 6] = 4  # seen by the places 6 and 7, which score the tokens 7 and 8
    with pytest.raises(SpecError, match=f"metric {metric}: the network must give numbers, not nan"):
        xbar.simulate(made, rows, metric=metric)


def test_of_equal_logits_the_first_is_the_largest():
    logits = np.array([[1.0, 1.0, 0.0], [0.0, 1.0, 1.0]])
    for label, within in ((0, [1, 0]), (1, [0, 1]), (2, [0, 0])):
        got = built_in("top-1").measure(logits, logits, np.full(2, label))
        np.testing.assert_array_equal(got, within)


def test_huge_logits_give_finite_losses_and_a_perplexity_beyond_numbers_is_infinite():
    perplexity = built_in("perplexity")
    logits = np.array([[5e4, -5e4]], np.float32)
    assert perplexity.measure(logits, logits, np.array([1])) == [1e5]
    assert perplexity.total(np.array([1e5]), np.array([1.0]))[0] == math.inf


@pytest.mark.parametrize("tokens", [STREAM, STREAM[:80].reshape(5, 16), STREAM.astype(np.uint16)])
def test_tiles_are_driven_by_the_first_window_of_a_stream(module, program, tokens):
    with torch.no_grad():
        words = module.words(torch.as_tensor(STREAM[:16])).numpy()
    wanted = words[(words**2).sum(axis=1).argmax()]
    np.testing.assert_allclose(activations(program, tokens)["query"][0], wanted, rtol=1e-6)


def test_tiles_are_driven_by_no_token_beyond_the_vocabulary(program):
    with pytest.raises(SpecError, match=r"tokens must be from 0 to 10, .* place 3 of window 0"):
        activations(program, np.array([1, 2, 3, WORDS] * 5))
    with pytest.raises(SpecError, match="at least 16 tokens, one window, not 9"):
        activations(program, STREAM[:9])


def test_inputs_of_any_size_cost_what_those_of_a_fixed_size_do(module, program, tmp_path):
    sizes = {0: torch.export.Dim("n", min=1, max=64), 1: torch.export.Dim("t", min=2, max=64)}
    example = (torch.zeros(3, 8, dtype=torch.int64),)
    exported = torch.export.export(module, example, dynamic_shapes=(sizes,), strict=False)
    torch.export.save(exported, tmp_path / "any.pt2")
    free = xbar.compile(xbar.read_model(tmp_path / "any.pt2"), program.chip)
    assert free.graph.inputs[0].shape == (None, None)
    fixed, found = cost(program, STREAM), cost(free, STREAM[:80].reshape(5, 16))
    assert [layer.products for layer in found.layers] == [16] * 4
    assert found.energy == pytest.approx(cost(program, STREAM[:80]).energy, rel=1e-12)
    assert (found.latency, found.interval) == (fixed.latency, fixed.interval)
    assert "4 layers" in found.notes[0]
    (half,) = {layer.products for layer in cost(free, STREAM[:80].reshape(10, 8)).layers}
    assert half == 8
    assert {layer.products for layer in cost(free).layers} == {1}
    assert "one is assumed" in cost(free).notes[0]
