"""A training that was stopped goes on where it was, and ends with the same bytes."""

import os
import signal
import time

import numpy as np
import pytest

import xbar
from xbar.errors import FileError, ModelError, SpecError
from xbar.model.read import from_module
from xbar.training import Tuning, finetune

torch = pytest.importorskip("torch")

from xbar.training import checkpoint
from xbar.training.descent import generator
from xbar.training.examples import Examples

TUNING = Tuning(batch=8)
EPOCHS, STEPS = 3, 9
rng = np.random.default_rng(0)
X, Y = rng.normal(size=(32, 6)).astype(np.float32), np.arange(32) % 3


def design(wire=100.0, **parts):
    tile = xbar.Tile(word_lines=12, bit_lines=12, word_wire=wire, bit_wire=wire)
    return xbar.Hardware(bank=xbar.Bank(resistors=4, nominal="8k"), tile=tile, **parts)


def network(seed=0):
    torch.manual_seed(seed)
    layers = torch.nn.Linear(6, 5), torch.nn.ReLU(), torch.nn.Linear(5, 3)
    return from_module(torch.nn.Sequential(*layers), (6,))


@pytest.fixture(scope="module")
def graph():
    return network()


@pytest.fixture(autouse=True)
def written_in_each_step(monkeypatch):
    monkeypatch.setattr(checkpoint, "SECONDS", 0.0)
    monkeypatch.setattr(checkpoint, "SHARE", 0)


def trained(graph, folder=None, data=(X, Y), hardware=None, **options):
    given = {"epochs": EPOCHS, "seed": 5, "tuning": TUNING, "validation": 0.25, **options}
    return finetune(graph, data, hardware or design(), checkpoint=folder, **given)


def bytes_of(found):
    """All bytes of a trained network, and its history."""
    return {name: each.tobytes() for name, each in found.graph.constants.items()}, found.history


@pytest.fixture(scope="module")
def expected(graph):
    return bytes_of(trained(graph))


def stop_at(step):
    """A function of progress that presses Ctrl-C after a step."""

    def progress(done, total):
        if done == step:
            signal.raise_signal(signal.SIGINT)

    return progress


def stopped(graph, folder, step=4, **options):
    with pytest.raises(KeyboardInterrupt) as found:
        trained(graph, folder, progress=stop_at(step), **options)
    return str(found.value)


def killed_run(graph, folder, steps, delay, **options):
    """Start a run in a process of its own, and kill it after so many steps and seconds.

    Returns whether it was killed before it ended by itself.
    """
    listen, tell = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            trained(graph, folder, progress=lambda done, total: os.write(tell, b"."), **options)
            os._exit(0)
        finally:  # whatever happens, the suite must not run twice
            os._exit(1)
    os.close(tell)
    for _ in range(steps):
        os.read(listen, 1)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    os.close(listen)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status)


def test_killed_at_random_moments_it_still_ends_with_the_same_bytes(graph, expected, tmp_path):
    moments, kills = np.random.default_rng(3), 0
    while kills < 12:
        folder, longest = tmp_path / str(kills), 0.005
        while killed_run(graph, folder, int(moments.integers(4)), moments.uniform(0, longest)):
            kills += 1
            longest *= 1.3  # ever longer, or the last step would never come to its end
        found = trained(graph, folder)
        assert bytes_of(found) == expected
        assert found.went_on == found.steps == STEPS


@pytest.mark.parametrize("step", [1, 3, 5, 9])
def test_ctrl_c_keeps_the_step_and_says_how_to_go_on(graph, expected, tmp_path, step):
    folder = tmp_path / "run"
    told = stopped(graph, folder, step)
    assert f"interrupted after step {step} of {STEPS}" in told
    assert f"{folder} keeps: the same command goes on" in told
    steps = []
    found = trained(graph, folder, progress=lambda *each: steps.append(each))
    assert steps == [(each + 1, STEPS) for each in range(step, STEPS)]
    assert found.went_on == step
    assert bytes_of(found) == expected
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_what_converters_and_noise_keep_from_step_to_step_is_kept_too(graph, tmp_path):
    noisy = design(
        dac=xbar.Converter(bits=6),
        adc=xbar.Converter(bits=6),
        variation=xbar.Variation(read_noise=0.05),
    )
    options = {"hardware": noisy, "tuning": Tuning(batch=2, calibrate="max", sparsity=0.1)}
    whole = bytes_of(trained(graph, **options))
    for step in (3, 20):
        stopped(graph, tmp_path / str(step), step, **options)
        assert bytes_of(trained(graph, tmp_path / str(step), **options)) == whole


def test_so_are_moments_of_a_life_and_side_weights(graph, tmp_path):
    curve = {"polynomial": (0.05,)}
    law = xbar.DeviceLaw(drift={"first": 1.0, "mean": curve, "sigma": curve})
    times = ("1 h", "1 d", "1 y")
    for lora, step in ((0, 3), (0, 12), (2, 11)):  # devices are drawn anew every 8 steps
        tuning = Tuning(batch=2, times=times, compensate=True, lora=lora)
        options = {"hardware": design(device=law), "tuning": tuning}
        folder, whole = tmp_path / f"{lora} {step}", bytes_of(trained(graph, **options))
        stopped(graph, folder, step, **options)
        assert bytes_of(trained(graph, folder, **options)) == whole


def test_the_second_ctrl_c_stops_at_once(graph, expected, tmp_path):
    def twice(done, total):
        if done == 4:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        trained(graph, tmp_path / "run", progress=twice)
    found = trained(graph, tmp_path / "run")
    assert found.went_on == 3
    assert bytes_of(found) == expected


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"seed": 6}, "seed 5, not 6"),
        ({"epochs": 4}, "epochs 3, not 4"),
        ({"validation": 0.5}, "validation 0.25, not 0.5"),
        ({"tuning": Tuning(batch=8, rate=0.01)}, "tuning.rate 0.02, not 0.01"),
        ({"readout": "ideal"}, "readout 'nodal', not 'ideal'"),
        ({"hardware": design(101.0)}, "design.tile.word_wire 100.0, not 101.0"),
        ({"data": (X + 1, Y)}, "other inputs"),
        ({"data": (X, Y[::-1])}, "other labels"),
        ({"data": (X, None)}, "other labels"),
    ],
)
def test_a_run_with_anything_else_is_refused_and_named(graph, tmp_path, change, told):
    stopped(graph, tmp_path / "run", 1)
    before = (tmp_path / "run/state.npz").read_bytes()
    with pytest.raises(FileError) as error:
        trained(graph, tmp_path / "run", **change)
    assert f"holds a run with {told}" in str(error.value)
    assert "go on with its own, or discard it with --force" in str(error.value)
    assert (tmp_path / "run/state.npz").read_bytes() == before


def test_another_network_is_refused_and_begins_anew_with_force(graph, expected, tmp_path):
    stopped(network(1), tmp_path / "run")
    with pytest.raises(FileError, match="holds a run with another network; go on with its own"):
        trained(graph, tmp_path / "run")
    found = trained(graph, tmp_path / "run", force=True)
    assert found.went_on == 0
    assert bytes_of(found) == expected


def test_a_run_of_another_version_is_refused(graph, tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "__version__", "0.0.1")
    stopped(graph, tmp_path / "run", 1)
    monkeypatch.undo()
    with pytest.raises(FileError, match=r"a run with xbar '0\.0\.1', not "):
        trained(graph, tmp_path / "run")


def test_two_runs_in_one_folder_refuse_each_other(graph, tmp_path):
    def second(done, total):
        with pytest.raises(FileError, match="another run is writing it"):
            trained(graph, tmp_path / "run")

    trained(graph, tmp_path / "run", epochs=1, progress=second)


@pytest.mark.parametrize(
    ("name", "advice"),
    [("state.npz", "remove the folder to begin again"), ("run.json", "discard it with --force")],
)
def test_a_damaged_file_is_told_and_nothing_is_begun_anew(graph, tmp_path, name, advice):
    stopped(graph, tmp_path / "run", 2)
    path = tmp_path / "run" / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 0xFF
    for wrong in (bytes(content), bytes(content[:-30]), b""):
        path.write_bytes(wrong)
        with pytest.raises(FileError) as error:
            trained(graph, tmp_path / "run")
        assert advice in str(error.value)
        assert path.read_bytes() == wrong


def test_a_state_of_other_arrays_is_told(graph, tmp_path):
    stopped(graph, tmp_path / "run", 2)
    with np.load(tmp_path / "run/state.npz") as archive:
        arrays = dict(archive)
    for change in (
        {"net.v": arrays["net.v"][1:]},
        {"place": np.zeros(2)},
        {"adam.7.step": np.ones(1)},
    ):
        np.savez(tmp_path / "run/state.npz", **{**arrays, **change})
        with pytest.raises(FileError, match=r"state\.npz is damaged"):
            trained(graph, tmp_path / "run")


def test_a_folder_that_holds_anything_else_is_left_alone(graph, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("x")
    with pytest.raises(FileError, match=r"holds thesis\.txt, which is no part"):
        trained(graph, tmp_path / "mine", force=True)
    assert (tmp_path / "mine/thesis.txt").read_text() == "x"
    (tmp_path / "link").symlink_to(tmp_path / "mine")
    with pytest.raises(FileError, match="is not a folder"):
        trained(graph, tmp_path / "link")
    with pytest.raises(FileError, match=r"no/such: can't be written"):
        trained(graph, tmp_path / "no/such")


def test_numbers_that_are_lost_are_told_with_layer_step_and_what_is_kept(graph, tmp_path):
    wild = Tuning(batch=8, rate=1e6)
    with pytest.raises(ModelError) as error:
        trained(graph, tmp_path / "run", tuning=wild)
    told = str(error.value)
    assert "not finite in epoch 1, step 2 of 9, first in the weights of layer 0" in told
    assert f"{tmp_path / 'run'} keeps step 0, whose network --finish writes" in told
    found = trained(graph, tmp_path / "run", tuning=wild, finish=True)
    assert all(np.isfinite(each).all() for each in found.graph.constants.values())


def test_a_stopped_run_is_finished_with_its_best_epoch(graph, tmp_path):
    stopped(graph, tmp_path / "run", 8)
    found = trained(graph, tmp_path / "run", finish=True)
    losses = [epoch.validation_loss for epoch in found.history]
    assert found.kept == int(np.argmin(losses)) + 1
    assert (found.steps, len(losses)) == (8, 2)
    with pytest.raises(SpecError, match="no state of a run that could be finished"):
        trained(graph, tmp_path / "none", finish=True)
    with pytest.raises(SpecError, match="for a checkpoint"):
        trained(graph, finish=True)


def test_the_kept_network_has_the_loss_that_is_told_of_what_is_held_apart(graph):
    still = Tuning(batch=8, rate=0.3, grain=0.0)
    found = trained(graph, tuning=still, epochs=6)
    every = Examples(torch.from_numpy(X), torch.from_numpy(graph.run(X)), torch.from_numpy(Y))
    rest, held = every.apart(0.25, generator(5, 0, 1))
    assert len(rest) + len(held) == len(X)
    assert not {tuple(row) for row in rest.inputs.tolist()} & {
        tuple(row) for row in held.inputs.tolist()
    }
    y = torch.from_numpy(found.graph.run(held.inputs.numpy()))
    loss = torch.nn.functional.cross_entropy(y, held.labels)
    loss += torch.nn.functional.cross_entropy(y, held.aims.softmax(dim=1))
    kept = found.history[found.kept - 1]
    assert kept.validation_loss == pytest.approx(float(loss), rel=1e-5)
    assert kept.validation_loss == min(epoch.validation_loss for epoch in found.history)
    assert kept.validation_accuracy == pytest.approx(
        float((y.argmax(1) == held.labels).float().mean())
    )


def test_training_stops_when_epochs_are_no_better_for_long_enough(graph):
    wild = Tuning(batch=8, rate=2.0)
    found = trained(graph, tuning=wild, epochs=12, patience=2)
    losses = [epoch.validation_loss for epoch in found.history]
    assert len(losses) == found.kept + 2 < 12
    whole = trained(graph, tuning=wild, epochs=12).history
    assert whole[: len(losses)] == found.history
    for wrong in ({"patience": 0}, {"patience": 2, "validation": 0}, {"validation": 1.0}):
        with pytest.raises(SpecError, match=next(iter(wrong))):
            trained(graph, **wrong)


def test_bytes_are_the_same_for_any_number_of_threads(graph, expected):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(3)
        assert bytes_of(trained(graph)) == expected
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


CHIP = xbar.Chip.sample(design(300.0), 7)
FOR_A_CHIP = {"hardware": CHIP, "epochs": 5, "tuning": Tuning(batch=8, rate=0.1)}


def bytes_of_program(found):
    """All that a chip is programmed and corrected with, and the history."""
    kept = found.program.corrections
    layers = [each.tobytes() for name in kept.slope for each in kept.of(name)]
    return [tile.mask.tobytes() for tile in found.program.tiles], layers, found.history


@pytest.fixture(scope="module")
def whole(graph):
    return bytes_of_program(trained(graph, **FOR_A_CHIP))


@pytest.mark.parametrize("step", [1, 8, 15])
def test_training_for_a_chip_goes_on_from_its_last_epoch(graph, whole, tmp_path, step):
    told = stopped(graph, tmp_path / "run", step, **FOR_A_CHIP)
    done = (step - 1) // 3
    assert f"interrupted after epoch {done} of 5; the same command goes on" in told
    found = trained(graph, tmp_path / "run", **FOR_A_CHIP)
    assert found.went_on == 3 * done
    assert bytes_of_program(found) == whole


def test_killed_training_for_a_chip_ends_with_the_same_program(graph, whole, tmp_path):
    moments, kills = np.random.default_rng(8), 0
    while kills < 3:
        folder, longest = tmp_path / str(kills), 0.02
        while killed_run(
            graph, folder, int(moments.integers(9)), moments.uniform(0, longest), **FOR_A_CHIP
        ):
            kills += 1
            longest *= 1.5
        assert bytes_of_program(trained(graph, folder, **FOR_A_CHIP)) == whole
        assert len(list(folder.glob("*.xbar"))) <= 2


def test_a_chips_run_is_refused_for_another_chip_and_finished_as_it_is(graph, tmp_path):
    stopped(graph, tmp_path / "run", 8, **FOR_A_CHIP)
    other = FOR_A_CHIP | {"hardware": xbar.Chip.sample(CHIP.hardware, 8)}
    with pytest.raises(FileError, match="holds a run with chip 7, not 8"):
        trained(graph, tmp_path / "run", **other)
    program = xbar.compile(graph, CHIP)
    with pytest.raises(FileError, match="holds a run with program None, not"):
        trained(program, tmp_path / "run", **FOR_A_CHIP)
    found = trained(graph, tmp_path / "run", finish=True, **FOR_A_CHIP)
    assert len(found.history) == 2
    assert np.isfinite(found.program.run(X, "nodal")).all()


def test_converters_of_a_chip_have_the_same_ranges_when_training_goes_on(graph, tmp_path):
    noisy = design(100.0, adc=xbar.Converter(bits=6), dac=xbar.Converter(bits=6))
    options = FOR_A_CHIP | {
        "hardware": xbar.Chip.sample(noisy, 1),
        "tuning": Tuning(batch=8, calibrate="max"),
    }
    wanted = bytes_of_program(trained(graph, **options))
    stopped(graph, tmp_path / "run", 10, **options)
    assert bytes_of_program(trained(graph, tmp_path / "run", **options)) == wanted
