"""The language model of examples/: what it learns from, and that its training resumes."""

import runpy
import sysconfig
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import xbar

EXAMPLE = Path(__file__).parents[1] / "examples" / "11_language_model.py"


@pytest.fixture(scope="module")
def example():
    return SimpleNamespace(**runpy.run_path(str(EXAMPLE)))


@pytest.fixture(scope="module")
def tiny(example):
    return example.Size(layers=2, width=16, heads=2, context=12, batch=2, steps=70, rate=1e-3)


def test_each_source_of_the_library_is_learnt_or_held_out(example):
    learnt, held = (each.tobytes() for each in example.library())
    root = Path(sysconfig.get_path("stdlib"))
    sources = [path.read_bytes() for path in root.glob("[a-z]*.py")]
    places = [(each in learnt, each in held) for each in sources if len(each) > 1000]
    assert set(places) == {(True, False), (False, True)}
    assert len(learnt) > 10 * len(held)


def test_no_byte_is_predicted_from_those_that_follow(example, tiny):
    model = example.Decoder(tiny).eval()
    tokens = torch.arange(24).reshape(2, 12)
    other = tokens.clone()
    other[:, 7:] = 200
    with torch.no_grad():
        before, after = model(tokens), model(other)
    assert torch.allclose(before[:, :7], after[:, :7], atol=1e-6)
    assert not torch.allclose(before[:, 7], after[:, 7], atol=1e-3)


def test_the_graph_gives_the_modules_logits(example, tiny):
    torch.manual_seed(1)
    model = example.Decoder(tiny).eval()
    tokens = example.windows(np.arange(200, dtype=np.uint8), 12, 5)
    with torch.no_grad():
        logits = model(torch.from_numpy(tokens))
    found = xbar.model.from_module(model, (12,)).run(tokens)
    np.testing.assert_allclose(found, logits.numpy(), atol=1e-5)


def test_a_training_that_was_stopped_ends_with_the_same_weights(example, tiny, tmp_path):
    class Stopped(np.ndarray):
        reads = 0

        def __getitem__(self, key):
            type(self).reads += 1
            if type(self).reads > 60:
                raise KeyboardInterrupt
            return np.asarray(self)[key]

    text = np.random.default_rng(0).integers(256, size=500, dtype=np.uint8)
    file = tmp_path / "model.pt"
    with pytest.raises(KeyboardInterrupt):
        example.trained(tiny, text.view(Stopped), file)
    assert torch.load(file, weights_only=True)["steps"] == 50
    resumed = example.trained(tiny, text, file).state_dict()
    whole = example.trained(tiny, text).state_dict()
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)
    assert [each.name for each in tmp_path.iterdir()] == ["model.pt"]
