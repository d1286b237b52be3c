"""Training of a network for one chip: program it, read what it made, train on that, program again.

    program ──► chip ── read, exact ──► realised ── train around it ──► weights, gains, offsets ─┐
       ▲                                                                                        │
       └────────────────────────────── all epochs but the last ─────────────────────────────────┘

A chip's errors are known once it is programmed: its devices, its wires, the subsets found. Each
epoch trains weights as if these errors stayed (the gradient goes straight through the programming)
together with a gain and an offset an output; then the same cells are programmed again.
The last epoch trains gains and offsets alone, on the best of these programs, and changes no switch:
what is trained then is what the program does. If that made it no better, it stays as it was.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from xbar.compiler.compiler import compile as compile_network
from xbar.compiler.compiler import reprogram
from xbar.compiler.options import Options
from xbar.compiler.program import Program
from xbar.compiler.weights import LateMatrices
from xbar.errors import ModelError, SpecError, warn
from xbar.hardware.chip import Chip
from xbar.hardware.spec import Hardware
from xbar.model.graph import Graph
from xbar.simulation.fit import threshold_of
from xbar.training.descent import (
    CALIBRATION,
    Descent,
    epochs_of,
    generator,
    rows_of,
    under,
)
from xbar.training.examples import Examples
from xbar.training.on_chip import OnChip
from xbar.training.recipe import TUNING, Epoch, Tuning
from xbar.training.schedule import Schedule

if TYPE_CHECKING:
    from xbar.effects.readout import MatrixReadout
    from xbar.training.checkpoint import Keep
    from xbar.training.finetuning import Trained

_VALIDATED = 256
"""Inputs of a batch of those that judge a program."""


@dataclass(frozen=True, eq=False)
class Best:
    """A program of the chip and what was trained with it.

    Attributes:
        loss: mean loss of what judges.
        program: the program.
        state: the network's state.
    """

    loss: float
    program: Program
    state: Any


def begun(
    model: Graph | Program,
    chip: Chip,
    how: tuple[MatrixReadout, Options | None],
    tuning: Tuning,
) -> Start:
    """The chip programmed for the first time, or as the program given has it.

    Args:
        model: network, or program of this chip.
        chip: the chip.
        how: read-out, and options of programming.
        tuning: settings.

    Raises:
        SpecError: the chip is of another design than the program; options are given with one; a
            setting is of training for a design.
        ModelError: a layer can't be trained.

    Warns:
        XbarWarning: the chip has effects that training leaves out; which ones.
    """
    readout, options = how
    _refuse_settings(tuning)
    notes = _left_out(chip.hardware)
    for note in notes:
        warn(note)
    return Start(OnChip(program_of(model, chip, readout, options), readout, tuning), tuning, notes)


def _refuse_settings(tuning: Tuning) -> None:
    """Refuse settings that only training for a design uses: here they would change nothing."""
    moments, given = ("times", "temperatures", "compensate"), asdict(tuning)
    others = ("largest", "dead", "gradient", "grain", "stale", "weight_noise", "lora")
    for name in (*moments, *others):
        if given[name] != getattr(TUNING, name):
            advice = "leave it out for a chip, whose conductances are read"
            if name in moments:
                advice = (
                    "for a chip at a moment of its life give that, such as chip.at(time='30 d')"
                )
            raise SpecError(f"{name} is a setting of training for a design; {advice}")


def _left_out(hardware: Hardware) -> tuple[str, ...]:
    left = ["selector"] if hardware.selector is not None else []
    left += ["nonlinearity"] if hardware.bank.nonlinearity is not None else []
    return (f"training leaves out {', '.join(left)} of the chip",) if left else ()


@dataclass(frozen=True, eq=False)
class Start:
    """A network on its chip, before training.

    Attributes:
        net: the network.
        tuning: settings.
        notes: what training leaves out.
    """

    net: OnChip
    tuning: Tuning
    notes: tuple[str, ...]

    def run(
        self,
        data: tuple[torch.Tensor, torch.Tensor | None],
        schedule: Schedule,
        told: tuple[Callable[[int, int], None], Callable[[Epoch], None]],
        keep: Keep | None = None,
    ) -> Trained:
        """Train on inputs and class numbers; arguments as those of ``finetune``.

        Args:
            data: inputs and class numbers.
            schedule: epochs, seed, what is held apart.
            told: called after each step and each epoch.
            keep: where the run is kept, epoch by epoch.
        """
        from xbar.training.finetuning import Trained

        inputs, labels = data
        threshold = threshold_of(self.net.program.graph)
        every = Examples.of(self.net.digital(), inputs, labels, threshold)
        examples, held = every.apart(schedule.validation, generator(schedule.seed, 0, 1))
        rounds = Rounds(self.net, examples, held, schedule, self.tuning)
        went_on = 0
        if keep is None:
            program = rounds.run(*told)
        else:
            from xbar.training.checkpoint import rounds_kept

            program, went_on = rounds_kept(rounds, keep, *told)
        judged = held or examples
        digital = None if labels is None else judged.right(judged.aims) / len(judged)
        history = tuple(rounds.history)
        assert program.graph is not None
        steps = sum(rounds.steps)
        kept = rounds.best_at, digital, steps, went_on
        return Trained(program.graph, history, self.notes, *kept, program=program)


@dataclass(eq=False)
class Rounds:
    """The epochs of training for a chip.

    Attributes:
        net: the network on its chip.
        examples: what it learns.
        held: what is held apart; None without.
        schedule: epochs, seed, patience.
        tuning: settings.
        history: the epochs that are done.
        steps: of each of them.
        best: the best program so far; None before there is one.
        best_at: epochs after which it was the chip's.
        waited: epochs since.
    """

    net: OnChip
    examples: Examples
    held: Examples | None
    schedule: Schedule
    tuning: Tuning
    history: list[Epoch] = field(default_factory=list)
    steps: list[int] = field(default_factory=list)
    best: Best | None = None
    best_at: int = 0
    waited: int = 0

    def run(
        self,
        after_step: Callable[[int, int], None],
        after_epoch: Callable[[Epoch], None],
        after_round: Callable[[], None] = lambda: None,
    ) -> Program:
        """Train, and return the program with its corrections.

        Args:
            after_step: called with the steps done and their number.
            after_epoch: called with each epoch.
            after_round: called when the chip is programmed again, with a state that can go on.
        """
        best = self.best = self.best or self._judged()
        fixed = self.net.program.decided  # the switches of a ticket stay as they are
        patience, last = self.schedule.patience, 0 if fixed else self.schedule.epochs - 1
        while len(self.history) < last and (patience is None or self.waited < patience):
            self._train(after_step, moves=True)
            self._place(programmed_again(self.net.program, self.net.graph()))
            now, self.waited = self._judged(), self.waited + 1
            after_epoch(self._end(now))
            if now.loss < best.loss:
                best = self.best = now
                self.best_at, self.waited = len(self.history), 0
            after_round()
        self._take(best)
        for _ in range(self.schedule.epochs if fixed else 1):
            self._train(after_step, moves=False)
            now = self._judged()
            after_epoch(self._end(now))
            if now.loss < best.loss:
                best = self.best = now
                self.best_at = len(self.history)
        if self.best_at < len(self.history):
            self._take(best)
        return self._corrected()

    def finished(self) -> Program:
        """The best program as it is, with what was trained with it."""
        self._take(self.best or self._judged())
        return self._corrected()

    def state(self) -> dict[str, NDArray[Any]]:
        """All that further rounds depend on but the programs, as copies."""
        assert self.best is not None
        found = {f"net.{name}": each for name, each in self.net.state().items()}
        found |= {f"best.{name}": np.array(each) for name, each in self.best.state.items()}
        found["place"] = np.array([self.best_at, self.waited], np.int64)
        found["loss"], found["steps"] = np.array(self.best.loss), np.array(self.steps, np.int64)
        found["history"] = rows_of(self.history)
        return found

    def programs(self) -> dict[int, Program]:
        """The programs that further rounds depend on but the first, by the epochs before them."""
        assert self.best is not None
        found = {self.best_at: self.best.program, len(self.history): self.net.program}
        return {number: program for number, program in found.items() if number}

    def restore(self, state: Mapping[str, NDArray[Any]], read: Callable[[int], Program]) -> None:
        """Go on from a state, before anything else is done.

        Args:
            state: what ``state`` gave.
            read: gives the program of a number.

        Raises:
            ValueError: it is no state of such a run.
        """
        self.history, first = epochs_of(state["history"]), self.net.program
        self.steps, (self.best_at, self.waited) = state["steps"].tolist(), map(int, state["place"])
        if not 0 <= self.best_at <= len(self.history) == len(self.steps) < self.schedule.epochs:
            raise ValueError("its epochs are none of this run's")
        now = read(len(self.history))
        program = {0: first, len(self.history): now}.get(self.best_at) or read(self.best_at)
        self.net.restore(under(state, "net."))
        self._place(now)
        self.best = Best(float(state["loss"]), program, under(state, "best."))

    def _take(self, best: Best) -> None:
        self.net.restore(best.state)
        self._place(best.program)

    def _corrected(self) -> Program:
        """The program of now with its corrections."""
        found = self.net.corrections(len(self.examples))
        program = self.net.program
        return replace(program, plan=replace(program.plan, corrections=found))

    def _place(self, program: Program) -> None:
        """Go on with another program, and converters' ranges for it."""
        self.net.place(program)
        self.net.calibrate(self.examples.inputs[:CALIBRATION])

    def _train(self, after_step: Callable[[int, int], None], *, moves: bool) -> None:
        """One epoch, around what the chip realised."""
        self.net.moves = moves
        number = len(self.history)
        words = np.random.SeedSequence([self.schedule.seed, number, 3]).generate_state(1, np.uint32)
        schedule = Schedule(1, int(words[0]))
        descent = Descent(self.net, self.examples, None, schedule, self.tuning)

        def stepped(done: int, steps: int) -> None:
            after_step(number * steps + done, self.schedule.epochs * steps)

        descent.run(after_step=stepped)
        self.history.append(descent.history[0])
        self.steps.append(descent.done)

    def _end(self, now: Best) -> Epoch:
        """The last epoch, with what the inputs held apart say of the chip after it."""
        if self.held is not None:
            right = self._right / len(self.held)
            told = replace(self.history[-1], validation_loss=now.loss, validation_accuracy=right)
            self.history[-1] = told
        return self.history[-1]

    def _judged(self) -> Best:
        """The chip as it is, judged by what is held apart, else by what it learns."""
        judge, total, self._right = self.held or self.examples, 0.0, 0
        with torch.no_grad():
            for chosen in torch.arange(len(judge)).split(_VALIDATED):
                part = judge.at(chosen)
                y = self.net(part.inputs)
                total += float(part.loss(y)) * len(chosen)
                self._right += part.right(y)
        loss = total / len(judge)
        if not np.isfinite(loss):
            raise ModelError(
                f"training came to a loss that is not finite after epoch {len(self.history)}"
                f"{self.net.first_bad(part.inputs)}; a lower rate helps where it was too high"
            )
        return Best(loss, self.net.program, self.net.state())


def program_of(
    model: Graph | Program, chip: Chip, readout: MatrixReadout, options: Options | None
) -> Program:
    """The program on the chip to begin with.

    Raises:
        SpecError: the chip is of another design than the program; options are given with one.
    """
    if isinstance(model, Graph):
        aware = readout == "nodal" and chip.hardware.wired
        return compile_network(model, chip, options=options or Options(wire_aware=aware))
    if options is not None:
        raise SpecError("options must be left out for a program, which has its own")
    own, given = (each.programmed.hardware.model_dump() for each in (model.chip, chip))
    for name, value in own.items():
        if value != given[name]:
            raise SpecError(
                f"the chip must be of the program's design, whose {name} is another; compile the "
                "network for this chip"
            )
    return model if chip is model.chip else model.on(chip)


def programmed_again(program: Program, graph: Graph) -> Program:
    """Other weights in the same cells of the same chip."""
    plan = replace(
        program.plan, graph=graph, weights=LateMatrices.of_graph(graph), corrections=None
    )
    return reprogram(replace(program, plan=plan), program.chip)
