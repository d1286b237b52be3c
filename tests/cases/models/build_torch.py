"""The cases of PyTorch's own files; the references come from the modules in eval mode."""

import json
import shutil
from pathlib import Path

import case_arch
import numpy as np
import torch
from building import OUT, f32, keep, pt2_case, rng, safetensors
from torch import nn
from torch.nn import functional
from torch.nn.utils import prune

# --- weights that a module computes: they are constants


class Signs(nn.Linear):
    def forward(self, x):
        return functional.linear(x, torch.sign(self.weight), self.bias)


class Standardised(nn.Conv2d):
    def forward(self, x):
        w = self.weight
        w = (w - w.mean((1, 2, 3), keepdim=True)) / w.std((1, 2, 3), keepdim=True)
        return functional.conv2d(x, w, self.bias)


class LowRank(nn.Linear):
    def __init__(self, *size):
        super().__init__(*size)
        self.a = nn.Parameter(torch.randn(2, size[0]))
        self.b = nn.Parameter(torch.randn(size[1], 2))

    def forward(self, x):
        return functional.linear(x, self.weight + self.b @ self.a, self.bias)


class Scaled(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Linear(16, 8)
        self.g = nn.Parameter(torch.rand(8, 1) + 0.5)

    def forward(self, x):
        return functional.linear(x, self.g * self.f.weight, self.f.bias)


pruned = nn.Linear(16, 8)
prune.l1_unstructured(pruned, "weight", 0.5)
for name, module in (
    ("prune_mask", pruned),
    ("weight_norm", nn.utils.parametrizations.weight_norm(nn.Linear(16, 8))),
    ("spectral_norm", nn.utils.parametrizations.spectral_norm(nn.Linear(16, 8))),
    ("binary_weights", Signs(16, 8)),
    ("low_rank_added", LowRank(16, 8)),
    ("scaled_rows", Scaled()),
):
    pt2_case(name, module, f32(5, 16))
pt2_case("weight_standardisation", Standardised(1, 4, 3), f32(3, 1, 8, 8))


class Products(nn.Module):
    def __init__(self, kind):
        super().__init__()
        self.kind = kind
        self.w = nn.Parameter(torch.randn(*((4, 2, 5) if kind == "bmm" else (5, 8))))

    def forward(self, x):
        if self.kind == "bmm":
            return torch.bmm(x.view(-1, 4, 2).transpose(0, 1), self.w).sum(0)
        if self.kind == "einsum":
            return torch.einsum("bi,oi->bo", x, self.w)
        return (self.w @ x.t()).t()


for kind in ("bmm", "einsum", "left"):
    pt2_case(f"product_{kind}", Products(kind), f32(3, 8))


# --- layers that draw at random: an accuracy of theirs is none
class Net(nn.Module):
    def __init__(self, layer):
        super().__init__()
        self.c = nn.Conv2d(1, 4, 3)
        self.d = layer
        self.f = nn.Linear(144, 4)

    def forward(self, x):
        return self.f(self.d(torch.relu(self.c(x))).flatten(1))


class Noise(nn.Module):
    def forward(self, x):
        return x + 0.3 * torch.randn_like(x)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.l = nn.LSTM(8, 6, 2, dropout=0.5, batch_first=True)
        self.f = nn.Linear(6, 4)

    def forward(self, x):
        return self.f(self.l(x[:, 0])[0][:, -1])


pt2_case("random_dropout2d", Net(nn.Dropout2d(0.5)), f32(3, 1, 8, 8), train=True)
pt2_case("random_lstm_dropout", Recurrent(), f32(3, 1, 8, 8), train=True)


class DropsPaths(nn.Module):
    def forward(self, x):
        return x * torch.bernoulli(torch.full((x.shape[0], 1, 1, 1), 0.7)) / 0.7


pt2_case("random_drops_paths", Net(DropsPaths()), f32(3, 1, 8, 8))
pt2_case("random_alpha_dropout", Net(nn.AlphaDropout(0.3)), f32(3, 1, 8, 8), train=True)
pt2_case("random_slopes", Net(nn.RReLU()), f32(3, 1, 8, 8), train=True)
pt2_case("random_noise", Net(Noise()), f32(3, 1, 8, 8))

# --- PyTorch files
shutil.copy(Path(__file__).with_name("case_arch.py"), OUT)


def eager(name, module, x):
    with torch.no_grad():
        keep(name, np.asarray(x), module.eval()(torch.as_tensor(x)).numpy())


net, x = case_arch.net(), f32(3, 1, 8, 8)
state = net.state_dict()
for name, content in (
    ("plain", state),
    ("state_dict", {"state_dict": state, "epoch": 1}),
    ("model", {"model": state, "iteration": 9}),
    ("module", {"module." + k: v for k, v in state.items()}),
    ("compiled", {"_orig_mod." + k: v for k, v in state.items()}),
    (
        "lightning",
        {
            "state_dict": {"model." + k: v for k, v in state.items()},
            "pytorch-lightning_version": "2.1.0",
            "epoch": 0,
        },
    ),
    ("net", {"net": state, "acc": 91.2}),
    ("compiled_module", {"_orig_mod.module." + k: v for k, v in state.items()}),
    ("averaged", {"n_averaged": torch.tensor(5), **{"module." + k: v for k, v in state.items()}}),
):
    torch.save(content, OUT / f"checkpoint_{name}.pth")
    eager(f"checkpoint_{name}", net, x)
k = list(state)
for part, names in ((1, k[:2]), (2, k[2:])):
    safetensors(f"sharded-0000{part}-of-00002.safetensors", {n: state[n] for n in names})
(OUT / "checkpoint_sharded.safetensors.index.json").write_text(
    json.dumps(
        {
            "metadata": {},
            "weight_map": {
                n: f"sharded-0000{1 if n in k[:2] else 2}-of-00002.safetensors" for n in k
            },
        }
    )
)
eager("checkpoint_sharded", net, x)
tied = case_arch.Tied()
safetensors(
    "tied.safetensors", {"a.weight": tied.a.weight}, {"format": "pt", "b.weight": "a.weight"}
)
eager("tied", tied, f32(3, 8))
tokens, t = case_arch.Tokens(), rng.integers(0, 20, (3, 7))
torch.save(tokens.state_dict(), OUT / "tokens.pth")
torch.save(tokens, OUT / "tokens_whole.pth")
torch.jit.trace(tokens.eval(), torch.zeros(2, 7, dtype=torch.long)).save(str(OUT / "tokens.pt"))
for name in ("tokens_state_dict", "tokens_whole", "tokens_traced"):
    eager(name, tokens, t)


class Shuffle(nn.Module):
    def __init__(self):
        super().__init__()
        self.c = nn.Conv2d(4, 8, 1)
        self.f = nn.Linear(8, 3)

    def forward(self, x):
        y = self.c(x)
        n, c, h, w = y.size()
        return self.f(y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w).mean((2, 3)))


shuffle = Shuffle().eval()
torch.jit.trace(shuffle, torch.zeros(1, 4, 5, 5)).save(str(OUT / "traced_shuffle.pt"))
eager("traced_shuffle", shuffle, f32(3, 4, 5, 5))

# --- labels
binary = nn.Sequential(nn.Linear(8, 1), nn.Sigmoid())
x = f32(50, 8)
pt2_case("binary_one_output", binary, x)
y = np.load(OUT / "binary_one_output.npz")["y"]
keep("binary_one_output", x, y, labels=(y[:, 0] > 0.5).astype("i8"))
many = nn.Linear(8, 5)
pt2_case("labels_one_hot", many, x)
y = np.load(OUT / "labels_one_hot.npz")["y"]
keep("labels_one_hot", x, y, labels=np.eye(5, dtype="i8")[y.argmax(1)])
