"""What is learned: losses by closed forms, and networks of several kinds."""

import numpy as np
import pytest

import xbar
from xbar.errors import SpecError
from xbar.training import Tuning, finetune

torch = pytest.importorskip("torch")

from xbar.training.examples import Examples

nn, functional = torch.nn, torch.nn.functional
draw = torch.Generator().manual_seed(0)
LOGITS, Y = torch.randn(9, 1, generator=draw), torch.arange(9) % 2
SCORES, CLASSES = torch.randn(9, 4, generator=draw), torch.arange(9) % 4
NOW = torch.randn(9, 1, generator=draw)


def examples(aims, labels, threshold=None):
    return Examples.of(lambda x: aims[: len(x)], torch.zeros(len(aims), 2), labels, threshold)


@pytest.mark.parametrize(("end", "threshold"), [(torch.sigmoid, 0.5), (lambda y: y, 0.0)])
def test_a_single_output_has_the_binary_cross_entropy(end, threshold):
    every = examples(end(LOGITS), Y, threshold)
    wanted = functional.binary_cross_entropy_with_logits(NOW[:, 0], Y.float())
    wanted += functional.binary_cross_entropy_with_logits(NOW, torch.sigmoid(LOGITS))
    torch.testing.assert_close(every.loss(end(NOW)), wanted)
    assert every.right(end(NOW)) == int(((NOW[:, 0] > 0) == Y).sum())
    with pytest.raises(SpecError, match="not up to 2"):
        examples(end(LOGITS), Y + 1, threshold)


def test_probabilities_have_the_loss_of_their_scores():
    y = torch.randn(9, 4, generator=torch.Generator().manual_seed(1))
    scores = examples(SCORES, CLASSES).loss(y)
    torch.testing.assert_close(examples(SCORES.softmax(1), CLASSES).loss(y.softmax(1)), scores)
    torch.testing.assert_close(examples(SCORES.log_softmax(1), CLASSES).loss(y), scores)


def test_distances_are_relative_to_all_aims_whatever_the_batch():
    every = examples(SCORES, None)
    spread = SCORES.var(dim=0, correction=0).mean()
    one = every.at(torch.tensor([3]))
    torch.testing.assert_close(one.loss(SCORES[3:4] + 0.5), 0.25 / spread)
    assert float(examples(torch.ones(5, 2), None).loss(torch.ones(5, 2) * 3)) == 4
    rounded = torch.ones(5, 2) + torch.eye(5, 2) * 2**-23
    assert float(examples(rounded, None).loss(rounded * 3)) == pytest.approx(4, rel=1e-5)


def test_without_labels_probabilities_are_learned_by_their_cross_entropy():
    now = torch.randn(9, 4, generator=torch.Generator().manual_seed(2))
    each = examples(torch.sigmoid(SCORES), None, 0.5).loss(torch.sigmoid(now))
    wanted = functional.binary_cross_entropy_with_logits(now, torch.sigmoid(SCORES))
    torch.testing.assert_close(each, 4 * wanted)
    classes = examples(SCORES.softmax(1), None).loss(now.softmax(1))
    torch.testing.assert_close(classes, functional.cross_entropy(now, SCORES.softmax(1)))


def test_numbers_that_are_lost_make_the_loss_none_without_a_traceback():
    lost = examples(torch.sigmoid(SCORES), None, 0.5).loss(SCORES * torch.nan)
    assert bool(lost.isnan())


@pytest.mark.parametrize(("end", "threshold"), [(torch.sigmoid, 0.5), (lambda y: y, 0.0)])
def test_without_labels_a_single_output_is_right_on_the_side_of_the_digital_one(end, threshold):
    found = examples(end(LOGITS), None, threshold).right(end(NOW))
    assert found == int(((NOW > 0) == (LOGITS > 0)).sum()) < len(NOW)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.mix = nn.MultiheadAttention(6, 2, batch_first=True)
        self.out = nn.Linear(6, 2)

    def forward(self, x):
        return self.out(self.mix(x, x, x, need_weights=False)[0].mean(1))


class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.table, self.out = nn.Embedding(11, 6), nn.Linear(6, 11)

    def forward(self, x):
        return self.out(torch.tanh(self.table(x)))


@pytest.mark.parametrize("kind", [Attention, Tokens])
def test_networks_of_tokens_and_with_attention_are_trained_and_written(kind, tmp_path):
    rng = np.random.default_rng(0)
    shape = (9, 4) if kind is Tokens else (9, 4, 6)
    x = rng.integers(0, 11, shape) if kind is Tokens else rng.normal(size=shape).astype(np.float32)
    torch.manual_seed(0)
    tile = xbar.Tile(word_lines=16, bit_lines=16, word_wire=5.0, bit_wire=5.0)
    hardware = xbar.Hardware(bank=xbar.Bank(resistors=4, nominal=8e3), tile=tile)
    found = finetune(
        kind(), x, hardware, epochs=2, input_shape=shape[1:], tuning=Tuning(batch=8, grain=0.0)
    )
    assert found.history[-1].loss < 0.2
    found.save(tmp_path / "tuned.pt2")
    module = torch.export.load(tmp_path / "tuned.pt2").module()
    with torch.no_grad():
        wanted = module(torch.from_numpy(x[:5])).numpy()
    np.testing.assert_allclose(found.graph.run(x)[:5], wanted, rtol=1e-5, atol=1e-6)
