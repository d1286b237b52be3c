"""Folders as ``transformers`` saves them, with random weights, against the package itself."""

from __future__ import annotations

import importlib.util
import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest

import xbar
from xbar.errors import FileError, ModelError, SpecError, ToolError
from xbar.model.read import read_model

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
save_file = pytest.importorskip("safetensors.torch").save_file

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
]
TEXT = {"vocab_size": 64, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
SIZES = {
    "hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4,
    "max_position_embeddings": 24,
}  # fmt: skip
FAMILIES = {
    "gpt2": lambda: transformers.GPT2LMHeadModel(
        transformers.GPT2Config(n_positions=24, n_embd=32, n_layer=2, n_head=4, **TEXT)
    ),
    "llama": lambda: transformers.LlamaForCausalLM(
        transformers.LlamaConfig(num_key_value_heads=2, tie_word_embeddings=True, **SIZES, **TEXT)
    ),
    "bert": lambda: transformers.BertForMaskedLM(transformers.BertConfig(**SIZES, **TEXT)),
}
LAYERS = {"gpt2": 9, "llama": 15, "bert": 14}
TOKENS = np.random.default_rng(5).integers(3, 64, (3, 10))


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """By family, a model in bfloat16 and the folder with its shards; each is made once."""
    made = {}

    def of(name):
        if name not in made:
            torch.manual_seed(0)
            module = FAMILIES[name]().to(torch.bfloat16).eval()
            folder = tmp_path_factory.mktemp("models") / name
            module.save_pretrained(folder, max_shard_size="20KB")
            again = type(module).from_pretrained(folder, dtype=torch.float32)
            made[name] = again.eval(), folder
        return made[name]

    return of


@pytest.fixture(scope="module")
def graph(saved):
    """By family, the network that is read; each is read once."""
    made = {}

    def of(name):
        if name not in made:
            made[name] = read_model(saved(name)[1])
        return made[name]

    return of


@pytest.fixture
def copy(saved, tmp_path):
    """A copy of the Llama folder that may be damaged."""
    return shutil.copytree(saved("llama")[1], tmp_path / "llama")


def logits(module, tokens):
    with torch.no_grad():
        return module(torch.from_numpy(tokens)).logits.numpy()


def near(got, want):
    np.testing.assert_allclose(got, want, rtol=0, atol=2e-6 * np.abs(want).max())


def edit(folder, **changes):
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(record | changes))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_folder_gives_the_logits_of_its_class_for_any_number_of_tokens(saved, graph, name):
    module, folder = saved(name)
    assert len(list(folder.glob("*.safetensors"))) > 1
    for tokens in (TOKENS, TOKENS[:1, :7]):
        near(graph(name).run(tokens), logits(module, tokens))


@pytest.mark.parametrize("name", FAMILIES)
def test_every_weight_stays_in_its_file_and_is_a_layer_of_the_same_numbers(saved, graph, name):
    module, folder = saved(name)
    found = graph(name)
    own = dict(module.named_parameters(remove_duplicate=False))
    for constant in found.constants:
        if constant in own:
            path, _, size, held = found.constants.reference(constant)
            assert path.parent == folder
            assert (size, held) == (2 * own[constant].numel(), "bfloat16")
            np.testing.assert_array_equal(found.constants[constant], own[constant].detach())
    assert len(found.layers) == LAYERS[name]
    matrices = {layer.name: layer.matrix for layer in found.layers}
    for layer, matrix in matrices.items():
        weight = next(own[each] for each in (f"{layer}.weight", layer) if each in own)
        same = [np.array_equal(matrix[0], w) for w in (weight.detach(), weight.detach().T)]
        assert any(same), layer
    got = found.run(TOKENS, lambda layer, v: np.einsum("goi,ngi->ngo", matrices[layer], v))
    near(got, logits(module, TOKENS))


def test_a_compiled_folder_computes_what_the_class_does(saved, graph):
    module, _ = saved("llama")
    hardware = xbar.Hardware(bank=xbar.hardware.Bank(resistors=12))
    program = xbar.compile(graph("llama"), hardware, seed=3)
    want, got = logits(module, TOKENS), program.run(TOKENS)
    assert np.abs(got - want).max() < 0.02 * np.abs(want).max()


def test_a_head_that_is_the_embedding_is_stored_once_and_read_from_there(saved, graph):
    found = graph("llama")
    head = next(each for each in found.layers if len(each.nodes) and each.shape == (1, 64, 32))
    assert head.name == "model.embed_tokens"
    assert "lm_head.weight" not in found.constants


def test_a_head_that_is_stored_beside_an_equal_embedding_is_the_same(copy, graph):
    index = json.loads((copy / "model.safetensors.index.json").read_text())
    weight = graph("llama").constants["model.embed_tokens.weight"]
    index["weight_map"]["lm_head.weight"] = "head.safetensors"
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    tied = torch.from_numpy(weight).to(torch.bfloat16)
    save_file({"lm_head.weight": tied}, copy / "head.safetensors")
    near(read_model(copy, (10,)).run(TOKENS), graph("llama").run(TOKENS))
    save_file({"lm_head.weight": tied + 1}, copy / "head.safetensors")
    with pytest.raises(ModelError, match=r"lm_head.weight and model.embed_tokens.weight.*differ"):
        read_model(copy)


def test_weights_without_their_prefix_and_with_old_names_are_found(saved, tmp_path):
    module, folder = saved("bert")
    kept = {}
    for name, value in module.state_dict().items():
        name = name.replace("LayerNorm.weight", "LayerNorm.gamma")
        kept[name.replace("LayerNorm.bias", "LayerNorm.beta")] = value.clone()
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(folder / "config.json", tmp_path)
    near(read_model(tmp_path, (10,)).run(TOKENS), logits(module, TOKENS))
    module, folder = saved("gpt2")
    state = {k: v.clone() for k, v in module.state_dict().items()}
    kept = {k.removeprefix("transformer."): v for k, v in state.items()}
    lone = kept.pop("lm_head.weight")
    save_file(kept, tmp_path / "model.safetensors", metadata={"format": "pt"})
    shutil.copy(folder / "config.json", tmp_path)
    near(read_model(tmp_path, (10,)).run(TOKENS), logits(module, TOKENS))
    save_file({**kept, "lm_head.weight": lone + 1}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=r"wte.weight and lm_head.weight .*differ"):
        read_model(tmp_path)


def test_a_number_of_tokens_beyond_the_positions_is_refused(saved, graph):
    with pytest.raises(SpecError, match=r"at most 24 .*not 25"):
        graph("gpt2").run(np.zeros((1, 25), np.int64))
    with pytest.raises(SpecError, match="up to 24 tokens, not 30"):
        read_model(saved("gpt2")[1], (30,))


def test_inputs_beside_the_tokens_are_refused(saved):
    with pytest.raises(SpecError, match=r"attention_mask'? can't be bound; write a torch.export"):
        read_model(saved("bert")[1], bind={"attention_mask": 1})


def test_code_in_the_folder_is_not_run(copy, graph):
    (copy / "evil.py").write_text("raise SystemExit('it ran')")
    hub = {"auto_map": {"AutoModelForCausalLM": "evil.Model"}, "attn_implementation": "me/kernel"}
    edit(copy, **hub, _attn_implementation="me/kernel")
    found = read_model(copy, (10,))
    assert any("evil" not in note and "auto_map" in note for note in found.notes)
    near(found.run(TOKENS), graph("llama").run(TOKENS))
    edit(copy, architectures=["evil.Model"])
    with pytest.raises(ModelError, match=r"architecture 'evil.Model' must be a class"):
        read_model(copy)
    edit(copy, model_type="evil")
    with pytest.raises(ModelError, match="model_type must be one that transformers"):
        read_model(copy)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hidden_size": 64}, r"has shape .* but config.json gives"),
        ({"num_hidden_layers": 3}, r"layers.2.* which the folder's files don't hold"),
        ({"num_hidden_layers": 1}, r"layers.1.* which config.json has no layer for"),
        ({"num_hidden_layers": 10**9}, "num_hidden_layers is 1000000000, but"),
        ({"max_position_embeddings": 10**12}, "max_position_embeddings must be at most"),
        ({"num_labels": 10**10}, "num_labels must be at most"),
        ({"vocab_size": 65}, r"shape \(64, 32\) in the file, but config.json gives \(65, 32\)"),
        ({"num_attention_heads": 5}, r"not a multiple of the number of attention heads \(5\)"),
        ({"hidden_size": -4}, "transformers"),
        (
            {"rope_parameters": {"rope_type": "default", "rope_theta": 0}},
            "inv_freq .*, not inf; .*",
        ),
        ({"rope_parameters": {"rope_type": "default", "rope_theta": -1e4}}, "inv_freq .*, not nan"),
        ({"hidden_act": "evil"}, "transformers can't build LlamaForCausalLM"),
        ({"quantization_config": {"bits": 4}}, "quantised"),
        ({"architectures": ["LlamaTokenizer"]}, "must be a class of transformers"),
        ({"architectures": ["GPT2LMHeadModel"]}, "must be a class of transformers for 'llama'"),
    ],
)
def test_a_configuration_that_does_not_fit_is_refused_in_one_line(copy, change, told):
    edit(copy, **change)
    with pytest.raises(ModelError, match=told) as refused:
        read_model(copy)
    assert "\n" not in str(refused.value)


def test_a_configuration_with_nan_is_refused(copy):
    edit(copy, rms_norm_eps=float("nan"))
    with pytest.raises(FileError, match=r"config.json: is not valid JSON \(NaN is not a number\)"):
        read_model(copy)


def test_files_that_are_missing_or_cut_short_are_refused_before_anything_is_built(copy):
    shard = sorted(copy.glob("*.safetensors"))[0]
    whole = shard.read_bytes()
    shard.write_bytes(whole[:-2])
    with pytest.raises(FileError, match=r"outside the file|cut short"):
        read_model(copy)
    shard.write_bytes(whole[:5])
    with pytest.raises(FileError, match="cut short"):
        read_model(copy)
    shard.unlink()
    with pytest.raises(FileError, match=f"{shard.name}.* must be beside it"):
        read_model(copy)
    (copy / "model.safetensors.index.json").unlink()
    shutil.copy(sorted(copy.glob("*.safetensors"))[0], copy / "another.safetensors")
    with pytest.raises(FileError, match="parts whose index"):
        read_model(copy)
    (copy / "config.json").write_text("{")
    with pytest.raises(FileError, match="not valid JSON"):
        read_model(copy)


def test_a_shard_whose_name_no_file_can_have_is_missing(copy):
    path = copy / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    name = next(iter(index["weight_map"]))
    index["weight_map"][name] = 300 * "x"
    path.write_text(json.dumps(index))
    with pytest.raises(FileError, match="must be beside it"):
        read_model(copy)


def test_a_shard_that_changes_later_is_refused_when_it_is_read(copy):
    found = read_model(copy, (10,))
    shard = sorted(copy.glob("*.safetensors"))[0]
    shard.write_bytes(shard.read_bytes() + b"\0\0")
    with pytest.raises(FileError, match="changed while"):
        found.run(TOKENS)


def test_quantised_weights_are_refused(copy, saved):
    state = {k: v.clone() for k, v in saved("llama")[0].state_dict().items()}
    state["model.layers.0.mlp.up_proj.weight"] = torch.ones((48, 32), dtype=torch.int8)
    (copy / "model.safetensors.index.json").unlink()
    save_file({k: v for k, v in state.items() if k != "lm_head.weight"}, copy / "model.safetensors")
    with pytest.raises(ModelError, match=r"up_proj.weight has numbers of type int8.*dequantised"):
        read_model(copy)
    steps = "model.layers.0.mlp.up_proj.weight"
    state |= {steps: torch.ones((48, 32), dtype=torch.float8_e4m3fn)}
    state[f"{steps}_scale_inv"] = torch.tensor([0.25])
    save_file({k: v for k, v in state.items() if k != "lm_head.weight"}, copy / "model.safetensors")
    with pytest.raises(ModelError, match=r"up_proj.* must be multiplied by scales"):
        read_model(copy)


def test_without_the_package_it_is_told_what_to_install(copy, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    monkeypatch.setattr("xbar.model.folder.find_spec", lambda _: None)
    with pytest.raises(ToolError, match=r"pip install 'xbar\[transformers\]'"):
        read_model(copy)


def test_a_compiled_folder_has_its_weights_in_the_shards_unless_they_are_embedded(
    graph, saved, tmp_path
):
    """Tied heads and bfloat16 too: both programs are the same network, and one stands alone."""
    hardware = xbar.Hardware(tile=xbar.Tile(word_lines=48, bit_lines=128))
    tokens, found = TOKENS[:1], []
    for embed in (False, True):
        output = tmp_path / f"{embed}.xbar"
        xbar.compile(graph("llama"), hardware, seed=0, output=output, embed=embed)
        record = json.loads((output / "manifest.json").read_text())["network"]
        outside = {
            name: entry
            for name, entry in zip(record["names"], record["arrays"], strict=True)
            if "offset" in entry
        }
        large = [entry for entry in record["arrays"] if np.prod(entry["shape"]) > 512]
        assert all(("offset" in entry) is not embed for entry in large)
        for entry in outside.values():
            shard = (output / entry["file"]).resolve()
            assert (shard.parent, entry["held"]) == (saved("llama")[1].resolve(), "bfloat16")
        program = xbar.Program.load(output)
        for name, array in graph("llama").constants.items():
            np.testing.assert_array_equal(program.graph.constants[name], array)
        found.append(program.run(tokens))
    np.testing.assert_array_equal(found[0], found[1])


@pytest.fixture(scope="module")
def benchmark():
    """The benchmark that writes such folders, of any size."""
    path = Path(__file__).parents[2] / "benchmarks" / "llama.py"
    spec = importlib.util.spec_from_file_location("llama_benchmark", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def test_a_compilation_that_ends_early_resumes_to_the_same_bytes(benchmark, tmp_path):
    size = benchmark.Size(128, 352, 2, 2, 1, 64)
    (tmp_path / "llama").mkdir()
    count = benchmark.write_model(tmp_path / "llama", size, 100_000)
    assert len(list((tmp_path / "llama").glob("*.safetensors"))) > 5
    module = transformers.LlamaForCausalLM.from_pretrained(tmp_path / "llama", dtype="float32")
    assert sum(p.numel() for p in module.parameters() if p.ndim == 2) == count
    found = read_model(tmp_path / "llama")
    near(found.run(TOKENS), logits(module.eval(), TOKENS))
    hardware = xbar.Hardware(
        bank=xbar.Bank(resistors=2), tile=xbar.Tile(word_lines=32, bit_lines=32)
    )
    whole, parts = tmp_path / "a" / "out.xbar", tmp_path / "b" / "out.xbar"
    for path in (whole, parts):
        path.parent.mkdir()
    xbar.compile(found, hardware, output=whole)

    def stop(done, total):
        if done > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        xbar.compile(found, hardware, output=parts, progress=stop)
    assert not parts.exists()
    xbar.compile(read_model(tmp_path / "llama"), hardware, output=parts)
    assert benchmark.same_files(whole, parts)
    # the weights stay in the shards, which the program names
    assert benchmark._bytes(whole) < 2 * count
