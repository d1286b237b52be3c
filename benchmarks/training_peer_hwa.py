"""aihwkit's side of ``benchmarks/training_peer.py``: run by that interpreter, without xbar.

    python benchmarks/training_peer_hwa.py job.npz out.npz

The job has the network (fc1, bias1, fc2, bias2), images and labels to train on, epochs, inputs a
batch, rates, seeds, and the noise: standard deviation over a layer's largest weight. The
weights that training leads to are written by rate and seed, with CPU seconds an epoch.

Hardware-aware training as aihwkit's users do it: ``convert_to_analog``, a tile a layer, the weight
modifier AddNormal and clipping at the largest weight as its Inference Composer presets them, Adam.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import aihwkit
import numpy as np
import torch
from aihwkit.nn.conversion import convert_to_analog
from aihwkit.optim import AnalogAdam
from aihwkit.simulator.configs import TorchInferenceRPUConfig
from aihwkit.simulator.parameters.enums import WeightClipType, WeightModifierType
from aihwkit.simulator.parameters.inference import WeightClipParameter, WeightModifierParameter


def analog(job: Any) -> Any:
    """The network on analog tiles with noise in training."""
    layers = []
    for number in (1, 2):
        weight, bias = (torch.from_numpy(job[f"{name}{number}"]) for name in ("fc", "bias"))
        layer = torch.nn.Linear(weight.shape[1], weight.shape[0])
        layer.load_state_dict({"weight": weight, "bias": bias})
        layers.append(layer)
    config = TorchInferenceRPUConfig()
    config.forward.is_perfect = True
    config.mapping.weight_scaling_omega = 1.0
    config.mapping.digital_bias = True
    config.mapping.learn_out_scaling = True
    config.mapping.max_input_size = config.mapping.max_output_size = 0
    config.modifier = WeightModifierParameter(
        type=WeightModifierType.ADD_NORMAL, std_dev=float(job["noise"]), rel_to_actual_wmax=True
    )
    config.clip = WeightClipParameter(type=WeightClipType.FIXED_VALUE, fixed_value=1.0)
    return convert_to_analog(
        torch.nn.Sequential(layers[0], torch.nn.ReLU(), layers[1]), config
    ).train()


def trained(job: Any, rate: float, seed: int) -> tuple[list[Any], list[float]]:
    """Weights and biases after training, and CPU seconds of each epoch."""
    torch.manual_seed(seed)
    net, seconds = analog(job), []
    images, labels = torch.from_numpy(job["images"]), torch.from_numpy(job["labels"])
    optimiser = AnalogAdam(net.parameters(), lr=rate)
    optimiser.regroup_param_groups(net)
    batch, epochs = int(job["batch"]), int(job["epochs"])
    steps = -(-len(images) // batch) * epochs
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, rate, total_steps=steps)
    for _ in range(epochs):
        start = time.process_time()
        for chosen in torch.randperm(len(images)).split(batch):
            optimiser.zero_grad()
            loss = torch.nn.functional.cross_entropy(net(images[chosen]), labels[chosen])
            loss.backward()
            optimiser.step()
            schedule.step()
        seconds.append(time.process_time() - start)
    found = []
    for layer in (net[0], net[2]):
        found += [each.detach().numpy().copy() for each in layer.get_weights()]
    return found, seconds


def main() -> None:
    """Write what training leads to."""
    torch.set_num_threads(1)
    with np.load(sys.argv[1]) as file:
        job = dict(file)
    found: dict[str, Any] = {"version": aihwkit.__version__}
    spent: list[float] = []
    for place, rate in enumerate(job["rates"].tolist()):
        for seed in job["seeds"].tolist():
            values, seconds = trained(job, rate, seed)
            spent += seconds
            for name, value in zip(("fc1", "bias1", "fc2", "bias2"), values, strict=True):
                found[f"{place} {seed} {name}"] = value
    np.savez(sys.argv[2], seconds=spent, **found)


if __name__ == "__main__":
    main()
