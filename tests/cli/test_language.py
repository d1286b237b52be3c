"""A folder of a language model from the command line: compiled, simulated on tokens, reported."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

CHIP = """
[bank]
resistors = 6
[tile]
word_lines = 32
bit_lines = 32
word_wire = "1 ohm"
bit_wire = "1 ohm"
"""
TOKENS = np.random.default_rng(2).integers(0, 64, 60)


@pytest.fixture(scope="module")
def made(call, tmp_path_factory):
    """The folder of a Llama in shards, its program, and what the compilation printed."""
    folder = tmp_path_factory.mktemp("language")
    config = transformers.LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=48, num_hidden_layers=2,
        num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=40, pad_token_id=0,
        bos_token_id=1, eos_token_id=2, head_dim=8,
    )  # fmt: skip
    torch.manual_seed(1)
    module = transformers.LlamaForCausalLM(config).to(torch.bfloat16)
    module.save_pretrained(folder / "llama", max_shard_size="20KB")
    (folder / "chip.toml").write_text(CHIP)
    np.save(folder / "tokens.npy", TOKENS)
    TOKENS.astype(np.uint16).tofile(folder / "tokens.bin")
    code, out, _ = call(
        *("compile", folder / "llama", "--hardware", folder / "chip.toml"),
        *("-o", folder / "llama.xbar"),
    )
    assert code == 0
    return folder, out


def perplexity(folder, window):
    """The package's own, over windows one after another."""
    module = transformers.LlamaForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
    losses = []
    for begin in range(0, len(TOKENS), window):
        row = torch.as_tensor(TOKENS[None, begin : begin + window])
        with torch.no_grad():
            logits = module(row).logits[0, :-1].double()
        losses.append(torch.nn.functional.cross_entropy(logits, row[0, 1:], reduction="none"))
    return torch.cat(losses).mean().exp().item()


def test_perplexity_behind_wires_stands_beside_the_packages_own(call, made):
    folder, _ = made
    given = ("--metric", "perplexity", "--window", 20, "--readout", "nodal", "--json")
    found = [
        json.loads(call("simulate", folder / "llama.xbar", "--data", folder / name, *given)[1])
        for name in ("tokens.npy", "tokens.bin")
    ]
    assert found[0]["metric"] == "perplexity"
    assert found[0]["digital_accuracy"] == pytest.approx(perplexity(folder / "llama", 20), rel=1e-5)
    assert found[0]["accuracy"] != found[0]["digital_accuracy"]
    assert found[0]["accuracy"] == found[1]["accuracy"]
    low, high = found[0]["interval"]
    assert low < found[0]["accuracy"] < high
    # of attention: 2 layers, 20 x 20 places, queries by keys and weights by values of 32
    layers = 2 * (2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 48) + 32 * 64
    digital = 2 * 2 * 20 * 32
    assert found[0]["digital_work"] == pytest.approx(digital / (digital + layers))


def test_what_attention_needs_is_told_by_each_verb(call, made):
    folder, compiled = made
    told = "of the multiply-adds are products that stay digital"
    assert told in compiled
    assert "for inputs of 40 tokens" in compiled
    assert told in call("report", folder / "llama.xbar")[1]
    data = ("--data", folder / "tokens.npy", "--metric", "agreement", "--tokens", 20)
    out = call("simulate", folder / "llama.xbar", *data)[1]
    assert told in out
    assert "agreement" in out
    assert "digital 100.00 %" in out
    assert "1 window of 20 tokens, from 20 of the stream's 60 tokens" in out


def test_tiles_are_checked_with_what_tokens_drive_them_with(call, made, ngspice):
    folder, _ = made
    data = ("--data", folder / "tokens.npy")
    code, out, _ = call("verify", folder / "llama.xbar", *data, "--tiles", "0", "--json")
    assert code == 0
    assert json.loads(out)["passed"]
    decks = [
        call("netlist", folder / "llama.xbar", "--tile", 0, *given)[1]
        for given in ((), data, ("--data", folder / "tokens.bin"))
    ]
    assert decks[0] != decks[1] == decks[2]


def test_bad_data_and_options_are_one_line(refused, made, tmp_path):
    folder, _ = made
    np.save(tmp_path / "wrong.npy", np.array([1, 2, 64, 3]))
    for words, told in (
        (("--data", tmp_path / "wrong.npy"), "tokens must be from 0 to 63"),
        (("--data", folder / "tokens.npy", "--window", 41), "window must be at most 40"),
        (("--data", folder / "tokens.npy", "--dtype", "uint16"), "is for .bin files"),
        (("--data", folder / "tokens.bin", "--dtype", "uint8"), "uint16 or uint32"),
    ):
        line = refused("simulate", folder / "llama.xbar", *words, "--metric", "perplexity")
        assert told in line


def test_a_folder_without_one_of_its_shards_leaves_nothing_behind(refused, made, tmp_path):
    folder, _ = made
    copy = shutil.copytree(folder / "llama", tmp_path / "llama")
    sorted(copy.glob("*.safetensors"))[-1].unlink()
    words = ("compile", copy, "--hardware", folder / "chip.toml", "-o", tmp_path / "out.xbar")
    assert "must be beside it" in refused(*words)
    assert [each.name for each in tmp_path.iterdir()] == ["llama"]


def test_an_option_of_state_dicts_is_refused(refused, made, tmp_path):
    folder, _ = made
    words = (
        "--hardware",
        folder / "chip.toml",
        "-o",
        tmp_path / "out.xbar",
        "--activation",
        "relu",
    )
    assert "--activation describes a state dict" in refused("compile", folder / "llama", *words)
