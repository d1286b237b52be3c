"""aihwkit's side of ``benchmarks/aging.py --peer-python``: run by that interpreter, without xbar.

    python benchmarks/aging_peer.py job.npz

The job has the network (fc1, bias1, fc2, bias2), the microsiemens of its largest weights by xbar
(scale1, scale2), the images, their labels, seconds after programming and a number of chips. Printed
as JSON: the version, and [time][chip] of (accuracy, root mean square error of the outputs over the
exact ones') without and with the peer's global drift compensation; once as it is, and once with
``Alike``.

The network is converted by aihwkit as its users do it: a tile a layer, PCMLikeNoiseModel with the
largest weight at 25 uS, products without converters.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import aihwkit
import numpy as np
import torch
from aihwkit.inference.compensation.drift import GlobalDriftCompensation
from aihwkit.inference.converter.conductance import SinglePairConductanceConverter
from aihwkit.inference.noise.pcm import PCMLikeNoiseModel
from aihwkit.nn.conversion import convert_to_analog
from aihwkit.simulator.configs import TorchInferenceRPUConfig


def network(job: Any) -> torch.nn.Module:
    """The network with its weights."""
    layers = []
    for number in (1, 2):
        weight, bias = (torch.from_numpy(job[f"{name}{number}"]) for name in ("fc", "bias"))
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": bias})
        layers.append(layer)
    return torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1])


class Scale(SinglePairConductanceConverter):  # type: ignore[misc]  # aihwkit is not there for mypy
    """Weights to pairs by given scales, which stay after programming.

    Targets are cut off at 25 uS; programmed conductances, of which the tile asks later, are not.
    """

    def __init__(self, g_max: float, scales: dict[int, float]) -> None:
        super().__init__(g_max=g_max)
        self.scales = scales

    def convert_to_conductances(self, weights: torch.Tensor) -> Any:
        """Conductances of the plus and minus cells, and the scale."""
        scale = self.scales[weights.numel()]
        scaled = weights * scale
        return [scaled.clamp(min=0.0), (-scaled).clamp(min=0.0)], {"scale_ratio": scale}


class Alike(PCMLikeNoiseModel):  # type: ignore[misc]  # likewise
    """The same devices, with xbar's scales and its reading of their law.

    A layer's scale is that of xbar, which cuts off a few large weights. The pair's second cell, of
    target 0, is not written and conducts nothing; exponents are those of the conductance that a
    device was programmed to, not of its target; and the scale between weights and conductances
    stays, where aihwkit takes the largest programmed weight for 25 uS.
    """

    def __init__(self, scales: dict[int, float]) -> None:
        super().__init__(g_converter=Scale(25.0, scales))

    def apply_programming_noise(self, weights: torch.Tensor) -> Any:
        """Programmed weights, and exponents of the plus and minus cells."""
        targets, params = self.g_converter.convert_to_conductances(weights)
        targets = [each.clamp(max=self.g_max) for each in targets]
        noisy = [self.apply_programming_noise_to_conductance(each) for each in targets]
        found = [
            torch.where(each > 0, g, torch.zeros_like(g))
            for g, each in zip(noisy, targets, strict=True)
        ]
        exponents = [self.generate_drift_coefficients(g) for g in found]
        return self.g_converter.convert_back_to_weights(found, params), exponents


def analog(net: torch.nn.Module, model: PCMLikeNoiseModel, compensated: bool) -> Any:
    """The network on PCM."""
    config = TorchInferenceRPUConfig()
    config.forward.is_perfect = True
    config.mapping.weight_scaling_omega = 1.0
    config.mapping.max_input_size = config.mapping.max_output_size = 0
    config.noise_model = model
    config.drift_compensation = GlobalDriftCompensation() if compensated else None
    return convert_to_analog(net, config).eval()


def life(net: torch.nn.Module, job: Any, model: PCMLikeNoiseModel, compensated: bool) -> list[Any]:
    """[time][chip] of (accuracy, error)."""
    images, labels = torch.from_numpy(job["images"]), torch.from_numpy(job["labels"])
    table: list[Any] = [[] for _ in job["times"]]
    with torch.no_grad():
        exact = net(images)
        for chip in range(int(job["chips"])):
            torch.manual_seed(chip)
            converted = analog(net, model, compensated)
            converted.program_analog_weights()
            for row, seconds in zip(table, job["times"].tolist(), strict=True):
                converted.drift_analog_weights(seconds)
                outputs = converted(images)
                right = (outputs.argmax(dim=1) == labels).double().mean()
                row.append([float(right), float((outputs - exact).norm() / exact.norm())])
    return table


def main() -> None:
    """Print the lives of all chips."""
    torch.set_num_threads(1)
    with np.load(sys.argv[1]) as file:
        job = dict(file)
    net, found = network(job), {}
    scales = {job[f"fc{number}"].size: float(job[f"scale{number}"]) for number in (1, 2)}
    for name, model in (("aihwkit", PCMLikeNoiseModel(g_max=25.0)), ("alike", Alike(scales))):
        for method in ("none", "gain"):
            found[f"{name} {method}"] = life(net, job, model, method == "gain")
    print(json.dumps({"version": aihwkit.__version__, **found}))


if __name__ == "__main__":
    main()
