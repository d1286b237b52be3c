"""Which device and net of the masks is which of the netlist."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable

from xbar.silicon.checks.circuit import Circuit

_UNKNOWN = -1
Signature = tuple[Hashable, ...]
_Nets = tuple[str, list[int], list[int]]


class Matching:
    """Devices and nets of two circuits matched, starting from named nets.

    Attributes:
        pairs: device of the masks -> device of the netlist, by number.
        rewired: pairs of devices that differ in one net: (drawn, wanted, their terminals).
        joined: names of nets that are one in the masks.
        opened: name of a net that is several in the masks -> their number.
        absent: names of pins without label.
        unknown: labels that are no pins.
        uneven: nets of the netlist, and how many devices' terminals are on them in the masks and
            should be: pins, and nets of devices that the masks lack.
        open_drawn: devices of the masks that the netlist lacks.
        open_wanted: devices of the netlist that the masks lack.
    """

    def __init__(self, drawn: Circuit, wanted: Circuit) -> None:
        self.drawn, self.wanted = drawn, wanted
        self.pairs: dict[int, int] = {}
        self.rewired: list[tuple[int, int, tuple[str, str]]] = []
        self.joined: list[tuple[str, ...]] = []
        self.opened: dict[str, int] = {}
        self.absent: list[str] = []
        self.unknown: list[str] = []
        self.uneven: dict[int, tuple[int, int]] = {}
        self.open_drawn = dict.fromkeys(range(len(drawn.devices)))
        self.open_wanted = dict.fromkeys(range(len(wanted.devices)))
        self._class_drawn = [_UNKNOWN] * len(drawn.nets)
        self._class_wanted = [_UNKNOWN] * len(wanted.nets)
        self._shared = _shared_terminals(drawn, wanted)
        self._own_drawn, self._own_wanted = self._nets_of(drawn), self._nets_of(wanted)
        self._classes = 0
        self._name_nets()

    def _name_nets(self) -> None:
        """Nets that have the same name."""
        uses, wants = self._terminals_on(self.drawn), self._terminals_on(self.wanted)
        found = defaultdict(list)
        for number, names in enumerate(self.drawn.nets):
            known = [name for name in names.split(",") if name in self.wanted.pins]
            if len(known) > 1:
                self.joined.append(tuple(known))
            for name in known:
                found[name].append(number)
        labels = dict.fromkeys(label[0] for label in self.drawn.labels)
        self.unknown = [name for name in labels if name not in self.wanted.pins]
        for number, name in enumerate(self.wanted.nets):
            if name and name not in found:
                self.absent.append(name)
            elif name:
                if len(found[name]) > 1:
                    self.opened[name] = len(found[name])
                most = max(found[name], key=lambda net: uses[net])
                if uses[most] != wants[number] and "," not in self.drawn.nets[most]:
                    self.uneven[number] = uses[most], wants[number]
                self._same_net(most, number)

    def _terminals_on(self, circuit: Circuit) -> list[int]:
        """Number of devices' terminals on each net of a circuit."""
        number = [0] * len(circuit.nets)
        for device in circuit.devices:
            for terminal in self._shared.get(device.kind, device.nets):
                number[device.nets[terminal]] += 1
        return number

    def _same_net(self, drawn: int, wanted: int) -> None:
        """Note that two nets are the same; nets that are joined in the masks share a class."""
        known = self._class_drawn[drawn]
        if known == _UNKNOWN:
            known = self._class_drawn[drawn] = self._classes
            self._classes += 1
        if self._class_wanted[wanted] == _UNKNOWN:
            self._class_wanted[wanted] = known

    def match(self) -> None:
        """Match what can be, and pair what remains with what is most alike."""
        while True:
            if self._step(self._signature_drawn, self._signature_wanted):
                continue
            if self._settle():
                continue
            if self._step(self._wider_drawn(), self._wider_wanted()):
                continue
            if self._pair_alike(whole=True) or self._pair_alike(whole=False):
                continue
            if self._guess() or self._orient():
                continue
            break
        self._confirm()

    def _signature_drawn(self, number: int) -> Signature:
        return _signature(self._own_drawn[number], self._class_drawn)

    def _signature_wanted(self, number: int) -> Signature:
        return _signature(self._own_wanted[number], self._class_wanted)

    def _nets_of(self, circuit: Circuit) -> list[_Nets]:
        """Each device's kind, and its nets at exchangeable and at other terminals."""
        found = []
        for device in circuit.devices:
            swapped = device.swapped
            rest = [t for t in self._shared.get(device.kind, ()) if t not in swapped]
            both = [device.nets[t] for t in swapped]
            found.append((device.kind, both, [device.nets[t] for t in rest]))
        return found

    def _wider_drawn(self) -> Callable[[int], Signature]:
        return self._wider(self.drawn, self._class_drawn, self.open_drawn, self._signature_drawn)

    def _wider_wanted(self) -> Callable[[int], Signature]:
        return self._wider(
            self.wanted, self._class_wanted, self.open_wanted, self._signature_wanted
        )

    def _wider(
        self,
        circuit: Circuit,
        classes: list[int],
        left: Iterable[int],
        narrow: Callable[[int], Signature],
    ) -> Callable[[int], Signature]:
        """Signatures that also tell what else is on unknown nets, and the device's values."""
        on = defaultdict(list)
        for number in left:
            for terminal, net in circuit.devices[number].nets.items():
                if classes[net] == _UNKNOWN:
                    on[net].append(
                        (
                            repr(narrow(number)),
                            terminal if "mos" not in circuit.devices[number].kind else "",
                        )
                    )
        profile = {net: hash(tuple(sorted(around))) for net, around in on.items()}

        def signature(number: int) -> Signature:
            device = circuit.devices[number]
            values = tuple(sorted((k, f"{v:.4g}") for k, v in device.values.items() if k in "LW"))
            around = tuple(sorted(profile.get(net, 0) for net in device.nets.values()))
            return (narrow(number), values, around)

        return signature

    def _step(
        self, of_drawn: Callable[[int], Signature], of_wanted: Callable[[int], Signature]
    ) -> bool:
        """Match devices with a signature of their own, and parallel ones."""
        drawn, wanted = _grouped(self.open_drawn, of_drawn), _grouped(self.open_wanted, of_wanted)
        before = len(self.pairs)
        for signature, ours in drawn.items():
            theirs = wanted.get(signature, [])
            if len(ours) == len(theirs) == 1 and self._anchored(ours[0]):
                self._pair(ours[0], theirs[0])
            elif theirs and _complete(signature):
                ours.sort(key=lambda n: sorted(self.drawn.devices[n].values.items()))
                theirs.sort(key=lambda n: sorted(self.wanted.devices[n].values.items()))
                for one, other in zip(ours, theirs, strict=False):
                    self._pair(one, other)
        return len(self.pairs) > before

    def _anchored(self, number: int) -> bool:
        """Whether any of a drawn device's nets is known."""
        device = self.drawn.devices[number]
        return any(self._class_drawn[net] != _UNKNOWN for net in device.nets.values())

    def _pair(self, drawn: int, wanted: int) -> None:
        """Match two devices and those of their nets that must then be the same."""
        self.pairs[drawn] = wanted
        del self.open_drawn[drawn], self.open_wanted[wanted]
        ours, theirs = self.drawn.devices[drawn], self.wanted.devices[wanted]
        for terminal in self._shared.get(ours.kind, ()):
            if terminal not in ours.swapped:
                self._maybe_same(ours.nets[terminal], theirs.nets[terminal])
        a, b = self._unknown(drawn, wanted)
        if len(a) == len(b) == 1:
            self._maybe_same(a[0], b[0])

    def _unknown(self, drawn: int, wanted: int) -> tuple[list[int], list[int]]:
        """Unknown nets at the exchangeable terminals of two matched devices."""
        ours, theirs = self.drawn.devices[drawn], self.wanted.devices[wanted]
        a = [ours.nets[t] for t in ours.swapped if self._class_drawn[ours.nets[t]] == _UNKNOWN]
        b = [theirs.nets[t] for t in ours.swapped if self._class_wanted[theirs.nets[t]] == _UNKNOWN]
        return a, b

    def _maybe_same(self, drawn: int, wanted: int) -> None:
        if self._class_drawn[drawn] == _UNKNOWN == self._class_wanted[wanted]:
            self._same_net(drawn, wanted)

    def _pair_alike(self, *, whole: bool) -> bool:
        """Pair devices that differ in one net only, if no other is as alike.

        Args:
            whole: whether all their other nets must be known.
        """
        drawn = self._partial(self.drawn, self._class_drawn, self.open_drawn, whole)
        wanted = self._partial(self.wanted, self._class_wanted, self.open_wanted, whole)
        before = len(self.rewired)
        for rest, ours in drawn.items():
            theirs = wanted.get(rest, [])
            if len(ours) != 1 or len(theirs) != 1:
                continue
            (d, t), (w, u) = ours[0], theirs[0]
            if d in self.open_drawn and w in self.open_wanted:
                self.rewired.append((d, w, (t, u)))
                self._pair(d, w)
        return len(self.rewired) > before

    def _partial(
        self, circuit: Circuit, classes: list[int], left: Iterable[int], whole: bool
    ) -> dict[Signature, list[tuple[int, str]]]:
        """Devices by their nets but one."""
        groups: dict[Signature, list[tuple[int, str]]] = defaultdict(list)
        for number in left:
            device = circuit.devices[number]
            terminals = dict.fromkeys([*device.swapped, *self._shared.get(device.kind, ())])
            for missing in terminals:
                others = {t: classes[device.nets[t]] for t in terminals if t != missing}
                known = [net for net in others.values() if net != _UNKNOWN]
                if not known or (whole and len(known) < len(others)):
                    continue
                both = tuple(sorted(net for t, net in others.items() if t in device.swapped))
                rest = tuple((t, net) for t, net in others.items() if t not in device.swapped)
                what = "swapped" if missing in device.swapped else missing
                groups[(device.kind, what, both, rest)].append((number, missing))
        return groups

    def _guess(self) -> bool:
        """Take the first of equally many devices that nothing tells apart for each other."""
        of_drawn, of_wanted = self._wider_drawn(), self._wider_wanted()
        drawn, wanted = _grouped(self.open_drawn, of_drawn), _grouped(self.open_wanted, of_wanted)
        for signature, ours in drawn.items():
            theirs = wanted.get(signature, [])
            if len(ours) == len(theirs) and self._anchored(ours[0]):
                self._pair(ours[0], theirs[0])
                return True
        return False

    def _settle(self) -> bool:
        """Take the last unknown nets of matched devices for the same.

        Left unknown, they would look alike in masks and netlist wherever they lead.
        """
        before = self._classes
        for d, w in self.pairs.items():
            a, b = self._unknown(d, w)
            if len(a) == len(b) == 1:
                self._same_net(a[0], b[0])
        return self._classes > before

    def _orient(self) -> bool:
        """Choose between the two ways in which a matched device's unknown nets can be the same."""
        for d, w in self.pairs.items():
            a, b = self._unknown(d, w)
            if len(a) == len(b) == 2:
                self._same_net(a[0], b[0])
                self._maybe_same(a[1], b[1])
                return True
        return False

    def _confirm(self) -> None:
        """Look again at all matched devices, now that every net is known that can be."""
        self._count_again()
        told = {(d, w) for d, w, _ in self.rewired}
        for d, w in self.pairs.items():
            ours, theirs = self._signature_drawn(d), self._signature_wanted(w)
            if (d, w) not in told and ours != theirs:
                self.rewired.append((d, w, self._differing(d, w)))

    def _count_again(self) -> None:
        """Note nets on which fewer or more terminals are than should be, beside missing devices."""
        uses, wants = self._terminals_on(self.drawn), self._terminals_on(self.wanted)
        drawn = {known: net for net, known in enumerate(self._class_drawn) if known != _UNKNOWN}
        near = {n for w in self.open_wanted for n in self.wanted.devices[w].nets.values()}
        for net in sorted(near):
            if not self.wanted.nets[net] and self._class_wanted[net] in drawn:
                found = uses[drawn[self._class_wanted[net]]]
                if found != wants[net]:
                    self.uneven[net] = found, wants[net]

    def _differing(self, drawn: int, wanted: int) -> tuple[str, str]:
        """The terminals of a device whose nets are not the same."""
        ours, theirs = self.drawn.devices[drawn], self.wanted.devices[wanted]
        a = {t: self._class_drawn[n] for t, n in ours.nets.items()}
        b = {t: self._class_wanted[n] for t, n in theirs.nets.items()}
        for terminal in self._shared.get(ours.kind, ()):
            if terminal not in ours.swapped and a[terminal] != b[terminal]:
                return terminal, terminal
        has, should = [a[t] for t in ours.swapped], [b[t] for t in ours.swapped]
        extra = next(t for t in ours.swapped if a[t] not in should or has[0] == has[1])
        lost = next(t for t in ours.swapped if b[t] not in has or should[0] == should[1])
        return extra, lost

    def wanted_name(self, net: int) -> str:
        """Name of a net of the netlist."""
        return self.wanted.nets[net] or self._by_device(self.wanted, net)

    def drawn_name(self, net: int) -> str:
        """Name of a net of the masks: its labels, or that of the netlist's net that it is."""
        if self.drawn.nets[net]:
            return self.drawn.nets[net].replace(",", " and ")
        known = self._class_drawn[net]
        if known != _UNKNOWN:
            return self.wanted_name(self._class_wanted.index(known))
        return "an unnamed net"

    @staticmethod
    def _by_device(circuit: Circuit, net: int) -> str:
        for device in circuit.devices:
            for terminal, number in device.nets.items():
                if number == net:
                    return f"the net at {terminal} of {device.name or device.kind}"
        return "an unused net"


def _signature(own: _Nets, classes: list[int]) -> Signature:
    """Kind and the classes of a device's nets, those of exchangeable terminals in order."""
    kind, both, rest = own
    return kind, tuple(sorted([classes[net] for net in both])), tuple([classes[n] for n in rest])


def _complete(signature: Signature) -> bool:
    """Whether all nets of a signature were known when it was made."""
    kind, both, rest = signature
    if not isinstance(kind, str):  # a wider one begins with a signature
        return False
    return not any(isinstance(nets, tuple) and _UNKNOWN in nets for nets in (both, rest))


def _grouped(
    numbers: Iterable[int], signature: Callable[[int], Signature]
) -> dict[Signature, list[int]]:
    groups = defaultdict(list)
    for number in numbers:
        groups[signature(number)].append(number)
    return groups


def _shared_terminals(drawn: Circuit, wanted: Circuit) -> dict[str, tuple[str, ...]]:
    """Kind -> terminals that both circuits know: a library's cell may have pins without label."""
    ours, theirs = _terminals(drawn), _terminals(wanted)
    return {kind: tuple(sorted(ours[kind] & theirs[kind])) for kind in ours if kind in theirs}


def _terminals(circuit: Circuit) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for device in circuit.devices:
        known = found.setdefault(device.kind, set(device.nets))
        known &= set(device.nets)
    return found
