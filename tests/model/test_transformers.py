"""Hugging Face transformers with random weights, exported by torch.export, against PyTorch."""

from __future__ import annotations

import numpy as np
import pytest

import xbar
from xbar.errors import ModelError
from xbar.model.read import read_model

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]
SMALL = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 32,
}  # fmt: skip
TEXT = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
GROUPS = {"num_key_value_heads": 2, "use_cache": False}


def gpt2(**options):
    config = transformers.GPT2Config(
        n_positions=32, n_embd=32, n_layer=2, n_head=4, **TEXT, **options
    )
    return transformers.GPT2LMHeadModel(config)


def llama():
    config = transformers.LlamaConfig(tie_word_embeddings=True, **SMALL, **TEXT, **GROUPS)
    return transformers.LlamaForCausalLM(config)


def mixtral():
    config = transformers.MixtralConfig(num_local_experts=4, **SMALL, **TEXT, **GROUPS)
    return transformers.MixtralForCausalLM(config)


def bert():
    return transformers.BertForSequenceClassification(transformers.BertConfig(**SMALL, **TEXT))


def vit():
    config = transformers.ViTConfig(image_size=16, patch_size=4, num_labels=5, **SMALL)
    return transformers.ViTForImageClassification(config)


def whisper():
    sizes = {f"{part}_{what}": n for part in ("encoder", "decoder") for what, n in
             (("layers", 2), ("attention_heads", 4), ("ffn_dim", 48))}  # fmt: skip
    config = transformers.WhisperConfig(
        d_model=32, num_mel_bins=8, max_source_positions=16, decoder_start_token_id=1,
        **sizes, **TEXT,
    )  # fmt: skip
    return transformers.WhisperModel(config).encoder


TOKENS, IMAGE, SOUND = "input_ids", "pixel_values", "input_features"
MODELS = {
    "gpt2": (lambda: gpt2(use_cache=False), TOKENS, 9),
    "llama": (llama, TOKENS, 15),
    "mixtral": (mixtral, TOKENS, 27),
    "bert": (bert, TOKENS, 14),
    "vit": (vit, IMAGE, 14),
    "whisper": (whisper, SOUND, 14),
}


@pytest.fixture(scope="module")
def model():
    """A model of MODELS in evaluation mode: (module, name of its input, inputs)."""

    def make(name):
        torch.manual_seed(0)
        build, kind, _ = MODELS[name]
        inputs = {
            TOKENS: torch.randint(3, 64, (3, 10)),
            IMAGE: torch.randn(3, 3, 16, 16),
            SOUND: torch.randn(3, 8, 32),
        }
        return build().eval(), kind, inputs[kind]

    return make


def export(module, path, args=(), **options):
    torch.export.save(torch.export.export(module, args, strict=False, **options), path)
    return path


def output_of(module, *args, **kwargs):
    with torch.no_grad():
        return next(iter(module(*args, **kwargs).values())).numpy()


def near(got, want):
    np.testing.assert_allclose(got, want, rtol=0, atol=1e-5 * np.abs(want).max())


@pytest.mark.parametrize("name", MODELS)
def test_a_model_gives_what_it_gives_in_pytorch_and_its_matrices_are_layers(model, tmp_path, name):
    module, _, x = model(name)
    graph = read_model(export(module, tmp_path / "m.pt2", (x[:1],)))
    near(graph.run(x.numpy()), output_of(module, x))
    assert len(graph.layers) == MODELS[name][2]
    # the rest are look-ups, and products of two activations
    assert {reason.split()[0] for _, reason in graph.digital} <= {"it", "both"}
    matrices = {layer.name: layer.matrix for layer in graph.layers}
    got = graph.run(x.numpy(), lambda layer, v: np.einsum("goi,ngi->ngo", matrices[layer], v))
    near(got, output_of(module, x))


def test_open_sizes_are_fixed_by_the_shape_of_an_input(model, tmp_path):
    module, _, x = model("llama")
    sizes = {0: torch.export.Dim.AUTO, 1: torch.export.Dim.AUTO}
    path = export(module, tmp_path / "m.pt2", (x,), dynamic_shapes=(sizes,))
    graph = read_model(path, (10,))
    assert graph.inputs[0].shape == (None, 10)
    assert {layer.positions for layer in graph.layers} == {10}
    near(graph.run(x.numpy()), output_of(module, x))


@pytest.mark.parametrize("name", ["llama", "vit"])
def test_bfloat16_is_computed_in_float32_with_the_rounded_weights(model, tmp_path, name):
    module, _, x = model(name)
    module = module.to(torch.bfloat16)
    example = x[:1] if x.dtype == torch.int64 else x[:1].to(torch.bfloat16)
    graph = read_model(export(module, tmp_path / "m.pt2", (example,)))
    near(graph.run(x.numpy()), output_of(module.float(), x))
    assert "what the model computes in bfloat16 is computed in float32" in graph.notes


def test_a_mask_is_bound(model, tmp_path):
    module, _, x = model("bert")
    mask = torch.tensor([[1] * 7 + [0] * 3])
    path = export(module, tmp_path / "m.pt2", kwargs={TOKENS: x[:1], "attention_mask": mask})
    want = output_of(module, x, attention_mask=mask.expand(3, -1))
    near(read_model(path, bind={"attention_mask": mask.numpy()}).run(x.numpy()), want)
    near(read_model(path, bind={"attention_mask": 1}).run(x.numpy()), output_of(module, x))
    with pytest.raises(ModelError, match=r"'input_ids', 'attention_mask'.*--bind"):
        read_model(path)


def test_the_logits_are_taken_beside_a_cache_and_the_choice_is_noted(tmp_path):
    integration = pytest.importorskip("transformers.integrations.executorch")
    integration.register_dynamic_cache_export_support()
    torch.manual_seed(0)
    module, x = gpt2().eval(), torch.randint(3, 64, (2, 6))
    path = export(module, tmp_path / "m.pt2", (x[:1],))
    graph = read_model(path)
    near(graph.run(x.numpy()), output_of(module, x))
    assert any("'logits' is taken" in note for note in graph.notes)
    keys = read_model(path, output="1").run(x.numpy())
    assert keys.shape == (2, 4, 6, 8)


def test_gpt2_on_a_precise_chip_is_gpt2(model, tmp_path):
    module, _, x = model("gpt2")
    graph = read_model(export(module, tmp_path / "m.pt2", (x[:1],)))
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=12, nominal=100e3, spread="lognormal", sigma=0.3),
        tile=xbar.Tile(word_lines=64, bit_lines=64),
    )
    got = xbar.compile(graph, hardware, seed=0).run(x.numpy(), readout="ideal")
    want = output_of(module, x)
    assert np.abs(got - want).max() < 1e-3 * np.abs(want).max()


def test_mixtral_on_a_chip_reads_each_expert_for_its_own_tokens(model, tmp_path):
    module, _, x = model("mixtral")
    graph = read_model(export(module, tmp_path / "m.pt2", (x[:1],)))
    rows = dict.fromkeys((layer.name for layer in graph.layers), 0)
    matrices = {layer.name: layer.matrix for layer in graph.layers}

    def multiply(layer, v):
        rows[layer] += len(v)
        return np.einsum("goi,ngi->ngo", matrices[layer], v)

    graph.run(x.numpy(), multiply)
    for block in (0, 1):
        for part in ("gate_up_proj", "down_proj"):
            # two experts for each of 3 x 10 tokens
            assert sum(rows[f"model.layers.{block}.mlp.experts.{part}.{i}"] for i in range(4)) == 60
