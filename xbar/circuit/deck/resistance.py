"""The resistance of a resistor: its value or its model's, temperature, number in parallel.

    R = R0 (1 + tc1 dT + tc2 dT^2)   or   R0 1.01^(tce dT),   R0 = value or rsh l / w

Formulas of the ngspice manual, section Resistors; Xyce's and HSPICE's are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from xbar.arrays import LARGEST, SMALLEST
from xbar.circuit.deck.lines import Statement
from xbar.circuit.deck.numbers import SUFFIX
from xbar.circuit.deck.place import Place
from xbar.circuit.deck.scope import Quantity

KNOWN = frozenset(
    {"r", "resistance", "m", "tc", "tc1", "tc2", "tce", "temp", "dtemp", "l", "w", "scale"}
)
PASSED_OVER = frozenset(
    {
        "ac",
        "noisy",
        "noise",
        "tol",
        "pwr",
        "c",
        "cap",
        "bv_max",
        "ww",
        "lot",
        "dev",
        "mc",
        "a",
        "p",
        "mfg",
        "type",
        "footprint",
    }
)
_MODEL = frozenset({"r", "rsh", "l", "w", "tc1", "tc2", "tce", "tnom", "short", "narrow"})
_ALIASES = {
    "res": "r",
    "resistance": "r",
    "defw": "w",
    "tref": "tnom",
    "dlr": "short",
    "dw": "narrow",
}
_MODEL_PASSED_OVER = frozenset(
    {"kf", "af", "ef", "bv_max", "level", "noise", "lf", "wf", "cap", "capsw", "dev", "lot"}
)
_DEFAULT_WIDTH = 10e-6  # metres; ngspice's defw


def resistance(
    statement: Statement,
    values: Sequence[Quantity | str],
    given: Mapping[str, Quantity],
    place: Place,
) -> float:
    """Ohms of a resistor in an instance.

    Args:
        statement: its statement.
        values: its value, its model, or both.
        given: its parameters.
        place: the instance.

    Raises:
        FileError: it has no resistance, two, or one that is not allowed.
    """
    if len(values) == 1 and not given and isinstance(values[0], float):
        ohms = values[0]
    else:
        ohms = _computed(statement, values, given, place)
    ohms /= place.many
    if ohms != 0 and not SMALLEST <= ohms <= LARGEST:
        must = "from 0 upwards" if not ohms > 0 else f"from {SMALLEST:g} to {LARGEST:g} ohm, or 0"
        raise statement.error(f"a resistance must be {must}, not {ohms} ohm")
    return ohms


def _computed(
    statement: Statement,
    values: Sequence[Quantity | str],
    given: Mapping[str, Quantity],
    place: Place,
) -> float:
    model, ohms = _model_and_value(statement, values, place)
    own = {name: place.number(quantity, statement) for name, quantity in given.items()}
    for name in ("r", "resistance"):
        if name in own:
            if ohms is not None:
                raise statement.error("a resistor must have one resistance, not two")
            ohms = own.pop(name)
    law = _read_model(model, statement, place) if model else {}
    if ohms is None:
        ohms = _by_model(statement, law, own, place)
    elif law.get("r", 1.0) != 1.0:
        ohms *= _multiplier(statement, law["r"], place)
    many = place.parallel(own.get("m", 1.0), statement)
    return ohms * own.get("scale", 1.0) * _warmed(law, own, place) / many


def _model_and_value(
    statement: Statement, values: Sequence[Quantity | str], place: Place
) -> tuple[Statement | None, float | None]:
    """The model and the value among positional words."""
    model: Statement | None = None
    ohms: float | None = None
    for word in values:
        found = place.model(word) if isinstance(word, str) else None
        if found is not None and model is None:
            model = found
        elif isinstance(word, str) and len(values) == 2 and not place.scope.defines(word):
            if SUFFIX.fullmatch(word):
                raise statement.error(
                    f"{word!r} stands apart from its number, and no model has that name: write "
                    f"them as one word"
                )
            place.scope.rules.remarks.add(
                f"the model {word!r} is not defined, so that values beside it stand as they are"
            )
        elif ohms is not None:
            raise statement.error("a resistor must have one resistance, not two")
        elif isinstance(word, str):
            ohms = _parameter(word, statement, place)
        else:
            ohms = place.number(word, statement)
    return model, ohms


def _parameter(name: str, statement: Statement, place: Place) -> float:
    try:
        quantity = place.scope.reading.quantity(name)
    except ValueError as error:
        raise statement.error(f"{name!r} must be a number or a model: {error}") from error
    return place.number(quantity, statement)


def _read_model(model: Statement, statement: Statement, place: Place) -> dict[str, float]:
    words = place.scope.reading.words(model)
    place.spend(len(words.assigned), statement)
    kind = words.words[2] if len(words.words) > 2 else ""
    if kind not in ("r", "res"):
        raise statement.error(f"a resistor's model must be of type r or res, not {kind!r}")
    law = {}
    for name, text in words.assigned.items():
        if name in _MODEL_PASSED_OVER:
            continue
        try:
            quantity = place.scope.reading.quantity(text)
        except ValueError as error:
            raise model.error(f"{text!r} must be a number: {error}") from error
        number = place.number(quantity, model)
        key = _ALIASES.get(name, name)
        if key not in _MODEL and number != 0:
            raise model.error(f"a resistor's model has {name!r}, which is not understood")
        law[key] = number
    return law


def _by_model(
    statement: Statement, law: Mapping[str, float], own: Mapping[str, float], place: Place
) -> float:
    """Resistance of a resistor without a value."""
    length = own.get("l", law.get("l", 0.0))
    if law.get("rsh") and length:
        width = own.get("w", law.get("w", _DEFAULT_WIDTH))
        length, width = _etched(statement, length, width, law, place)
        if not (width > 0 and length > 0):
            raise statement.error(
                f"length and width of a resistor must be positive, not {length:g} and {width:g}"
            )
        return law["rsh"] * length / width
    if "r" not in law:
        raise statement.error("a resistor must have a resistance, or a model with rsh and a length")
    return law["r"]


def _etched(
    statement: Statement, length: float, width: float, law: Mapping[str, float], place: Place
) -> tuple[float, float]:
    """Effective length and width: short and narrow are taken off both sides, in Xyce once."""
    short, narrow = law.get("short", 0.0), law.get("narrow", 0.0)
    rules = place.scope.rules
    if short == narrow == 0:
        return length, width
    try:
        rules.insist("narrow and short of a resistor's model count twice in ngspice, once in Xyce")
    except ValueError as error:
        raise statement.error(error) from error
    if rules.name != "xyce":
        return length - 2 * short, width - 2 * narrow
    return length - narrow, width - narrow


def _multiplier(statement: Statement, factor: float, place: Place) -> float:
    """What r of the model does to a resistor with a value of its own."""
    rules = place.scope.rules
    try:
        rules.insist(f"r={factor:g} of a resistor's model multiplies its value in Xyce and LTspice")
    except ValueError as error:
        raise statement.error(error) from error
    return factor if rules.model_multiplies else 1.0


def _warmed(law: Mapping[str, float], own: Mapping[str, float], place: Place) -> float:
    """Resistance at its temperature relative to that at the nominal one."""
    reading = place.scope.reading
    nominal = law.get("tnom", reading.nominal)
    rise = own.get("temp", reading.celsius + own.get("dtemp", 0.0)) - nominal
    first, second = (own.get(name, law.get(name, 0.0)) for name in ("tc1", "tc2"))
    exponent = own.get("tce", law.get("tce", 0.0))
    if exponent:
        return float(1.01 ** (exponent * rise))
    return 1 + first * rise + second * rise * rise
