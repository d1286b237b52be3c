"""Which mutants of xbar are tried: Cosmic Ray's, without those that no test is meant to find.

Left out are types, decorators (caches, and with them speed), the wording of errors, zip's strict
(an assertion) and what is imported for type checkers only. A mutant's turn is a hash of the text
around it, so that a change in one file leaves the sample of the others as it is.
"""

from __future__ import annotations

import ast
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.ast.ast_query import ASTQuery
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator

ROOT = Path(__file__).parents[1]
_ARITHMETIC = "Add_Sub Sub_Add Mul_Div Div_Mul FloorDiv_Mod Mod_FloorDiv Pow_Mul"
_BITS = "BitOr_BitAnd BitAnd_BitOr LShift_RShift RShift_LShift"
_ORDER = "Lt_LtE LtE_Lt Gt_GtE GtE_Gt Lt_GtE Gt_LtE Eq_NotEq NotEq_Eq Is_IsNot IsNot_Is"
_SIGNS = "Delete_USub Delete_Invert Delete_Not"
_OTHERS = """AddNot ReplaceAndWithOr ReplaceOrWithAnd ReplaceTrueWithFalse ReplaceFalseWithTrue
    ReplaceBreakWithContinue ReplaceContinueWithBreak NumberReplacer ZeroIterationForLoop"""
OPERATORS = (
    *(f"core/ReplaceBinaryOperator_{name}" for name in (_ARITHMETIC + " " + _BITS).split()),
    *(f"core/ReplaceComparisonOperator_{name}" for name in _ORDER.split()),
    *(f"core/ReplaceUnaryOperator_{name}" for name in _SIGNS.split()),
    *(f"core/{name}" for name in _OTHERS.split()),
)
Place = tuple[int, int]


@dataclass(frozen=True)
class Mutant:
    """One changed place.

    Attributes:
        file: of the package, relative to the root.
        where: the function or class around it.
        operator: of Cosmic Ray.
        occurrence: of the operator in the file.
        start: line and column.
        end: line and column.
        line: the first line that changes.
        becomes: what that line becomes; empty before it is known.
    """

    file: str
    where: str
    operator: str
    occurrence: int
    start: Place
    end: Place
    line: str
    becomes: str = ""


def sample(shares: dict[str, float], count: int, seed: int) -> list[Mutant]:
    """Of each folder or file its share, those with the smallest hashes."""
    chosen: list[Mutant] = []
    for folder, share in shares.items():
        paths = [ROOT / folder] if folder.endswith(".py") else sorted((ROOT / folder).rglob("*.py"))
        every = _shuffled([mutant for path in paths for mutant in _places(path)], seed)
        wanted = round(count * share / sum(shares.values()))
        found = _valid(every, wanted)
        print(f"{folder}: {len(every)} places, {len(found)} mutants in the sample")
        chosen += found
    return chosen


def _places(path: Path) -> Iterator[Mutant]:
    """Every place of a file that an operator would change."""
    source, file = path.read_text(), path.relative_to(ROOT).as_posix()
    tree, spans, lines = get_ast(source), _skipped(ast.parse(source)), source.splitlines()
    for name in OPERATORS:
        operator = get_operator(name)()
        places = (
            (node, *span) for node in ast_nodes(tree) for span in operator.mutation_positions(node)
        )
        for occurrence, (node, start, end) in enumerate(places):
            if not any(first <= start < last for first, last in spans):
                where = ASTQuery(node).get_definition_name() or ""
                line = lines[start[0] - 1].strip()
                yield Mutant(file, where, name, occurrence, start, end, line)


def _skipped(tree: ast.Module) -> list[tuple[Place, Place]]:
    """From where to where nothing is changed: what makes no figure."""
    nodes: list[ast.expr | ast.stmt] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            nodes.append(node)
        elif isinstance(node, ast.AnnAssign):
            alias = isinstance(node.annotation, ast.Name) and node.annotation.id == "TypeAlias"
            nodes.append(node if alias else node.annotation)
        elif isinstance(node, ast.keyword) and node.arg == "strict":
            nodes.append(node.value)
        elif isinstance(node, ast.arg) and node.annotation:
            nodes.append(node.annotation)
        elif isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes.append(node)
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            nodes += node.decorator_list
            if isinstance(node, ast.FunctionDef) and node.returns:
                nodes.append(node.returns)
    return [((n.lineno, n.col_offset), (n.end_lineno or 0, n.end_col_offset or 0)) for n in nodes]


def _shuffled(mutants: Sequence[Mutant], seed: int) -> list[Mutant]:
    """In an order of their own: a function of seed, file, function, operator and line."""
    twins, keyed = Counter[str](), []
    for mutant in mutants:
        text = f"{seed}|{mutant.file}|{mutant.where}|{mutant.operator}|{mutant.line}"
        twins[text] += 1
        keyed.append((hashlib.sha256(f"{text}|{twins[text]}".encode()).hexdigest(), mutant))
    return [mutant for _, mutant in sorted(keyed, key=lambda pair: pair[0])]


def _valid(mutants: Sequence[Mutant], wanted: int) -> list[Mutant]:
    """The first that compile and are neither what there was nor what another one is."""
    found: dict[tuple[str, str], Mutant] = {}
    for mutant in mutants:
        if len(found) == wanted:
            break
        source = (ROOT / mutant.file).read_text()
        changed = mutate_code(source, get_operator(mutant.operator)(), mutant.occurrence) or source
        try:
            meaning = ast.dump(ast.parse(changed))
        except SyntaxError:
            continue
        if meaning == ast.dump(ast.parse(source)) or (mutant.file, meaning) in found:
            continue
        pairs = zip(source.splitlines(), changed.splitlines(), strict=False)
        line, becomes = next((a.strip(), b.strip()) for a, b in pairs if a != b)
        place = mutant.operator, mutant.occurrence, mutant.start, mutant.end
        found[mutant.file, meaning] = Mutant(mutant.file, mutant.where, *place, line, becomes)
    return list(found.values())
