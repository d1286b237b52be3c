"""Networks of public packages that carry only weights, each for ``--arch packaged:name``.

The layers' names are those of the state dicts in the packages; the networks were written anew from
their descriptions.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as fn


class BeatTracker(nn.Module):
    """BeatNet (Heydari, Cwitkowitz, Duan 2021): spectra (T, 272) to 3 activations by time."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv1d(1, 2, 10)
        self.linear0 = nn.Linear(262, 150)
        self.lstm = nn.LSTM(150, 150, 2, batch_first=True)
        self.linear = nn.Linear(150, 3)

    def forward(self, x):
        y = x.reshape(-1, 1, x.shape[-1])
        y = fn.max_pool1d(torch.relu(self.conv1(y)), 2).flatten(1)
        y = self.linear0(y).reshape(x.shape[0], x.shape[1], -1)
        return self.linear(self.lstm(y)[0]).transpose(1, 2)


class VoiceEncoder(nn.Module):
    """Resemblyzer's speaker encoder (Wan, Wang, Papir, Lopez Moreno 2018): mel spectra (T, 40)."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(40, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)
        self.similarity_weight = nn.Parameter(torch.ones(1))  # used in training only
        self.similarity_bias = nn.Parameter(torch.zeros(1))

    def forward(self, x):
        hidden = self.lstm(x)[1][0]
        return fn.normalize(torch.relu(self.linear(hidden[-1])), dim=1)


class Filters(nn.Module):
    """A convolution under the name conv, with or without a batch norm."""

    def __init__(self, channels, filters, size, dilation=1, norm=False):
        super().__init__()
        padding = size // 2 * dilation
        self.conv = nn.Conv1d(channels, filters, size, dilation=dilation, padding=padding)
        self.bn = nn.BatchNorm1d(filters) if norm else nn.Identity()

    def forward(self, x):
        return self.bn(self.conv(x))


class WordEnds(nn.Module):
    """AttaCut (Chormai and others 2019): whether each Thai letter (T,) begins a word."""

    def __init__(self, channels, filters, norm):
        super().__init__()
        self.conv1 = Filters(channels, filters, 3, norm=norm)
        self.conv2 = Filters(channels, filters, 5, 3, norm)
        self.conv3 = Filters(channels, filters, 9, 2, norm)
        self.linear1, self.linear2 = nn.Linear(filters, 32), nn.Linear(32, 1)

    def decide(self, embedded):
        x = embedded.transpose(1, 2)
        y = torch.stack((self.conv1(x), self.conv2(x), self.conv3(x))).amax(0).transpose(1, 2)
        return self.linear2(torch.relu(self.linear1(y))).squeeze(-1)


class LetterWords(WordEnds):
    """From letters alone."""

    def __init__(self):
        super().__init__(48, 196, norm=False)
        self.embeddings = nn.Embedding(139, 48)

    def forward(self, x):
        return self.decide(self.embeddings(x))


class SyllableWords(WordEnds):
    """From letters and the syllables that they are in: (2, T)."""

    def __init__(self):
        super().__init__(48, 64, norm=True)
        self.ch_embeddings, self.sy_embeddings = nn.Embedding(139, 32), nn.Embedding(6227, 16)

    def forward(self, x):
        parts = (self.ch_embeddings(x[:, 0]), self.sy_embeddings(x[:, 1]))
        return self.decide(torch.cat(parts, 2))


class PitchEncoder(nn.Module):
    """PESTO (Riou, Lattner, Hadjeres, Peeters 2023): a constant-Q spectrum to 384 pitch bins."""

    def __init__(self, bins=264, size=15, layers=1, nested=False):
        super().__init__()
        self.layernorm = nn.LayerNorm([1, bins])
        self.conv1 = nn.Sequential(nn.Conv1d(1, 40, size, padding="same"))
        filters = [nn.Conv1d(40, 40, size, padding="same") for _ in range(layers)]
        self.prefilt_layers = nn.ModuleList(
            nn.Sequential(each) if nested else each for each in filters
        )
        pairs = ((40, 30), (30, 30), (30, 10), (10, 3))
        steps = [step for a, b in pairs for step in (nn.Conv1d(a, b, 1), nn.LeakyReLU(0.3), None)]
        self.conv_layers = nn.Sequential(*(step or nn.Identity() for step in steps))
        self.fc = nn.Conv1d(1, 1, 3 * bins + 383, padding=383, bias=False)

    def forward(self, x):
        y = fn.leaky_relu(self.conv1(self.layernorm(x)), 0.3)
        for each in self.prefilt_layers:
            y = y + fn.leaky_relu(each(y), 0.3)
        y = self.conv_layers(y).flatten(1)
        return torch.softmax(self.fc(y[:, None]).squeeze(1), -1)


def wide_pitch_encoder():
    """PESTO with longer filters, of the package's second file."""
    return PitchEncoder(219, 39, layers=2, nested=True)
