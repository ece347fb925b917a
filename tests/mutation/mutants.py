"""The mutants: cosmic-ray's operators, without those that cannot change behaviour.

One mutant at each place: the same tests detect most of the 11 operators that could replace a `+`.
"""

import ast
import random
import re
from dataclasses import dataclass
from pathlib import Path

from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.plugins import get_operator, operator_names

# Small numbers that are equal are identical; caches and compilers change no result.
UNINFORMATIVE = re.compile(r"(Eq|NotEq)_(Is|IsNot)$")
SPEED_ONLY = re.compile(
    r"@.*(abstract|cache|compiled|grad|inference|inlined|kernel|overload|thread)"
)

Place = tuple[int, int]


@dataclass(frozen=True, order=True)
class Mutant:
    """One change of one file; its name identifies it as long as the file is unchanged."""

    path: str
    place: Place
    operator: str
    occurrence: int

    def __str__(self) -> str:
        line, column = self.place
        return f"{self.path}:{line}:{column}:{self.operator}:{self.occurrence}"

    @classmethod
    def named(cls, name: str) -> "Mutant":
        path, line, column, operator, occurrence = name.split(":")
        return cls(path, (int(line), int(column)), operator, int(occurrence))

    def apply(self, source: str) -> str:
        return mutate_code(source, get_operator(f"core/{self.operator}")(), self.occurrence)


def file_mutants(path: Path, root: Path) -> list[Mutant]:
    """All mutants of a file."""
    source = path.read_text()
    nodes, found = list(ast_nodes(get_ast(source))), []
    silent = [span for node in ast.walk(ast.parse(source)) for span in _silent(node)]
    for name in operator_names():
        operator = get_operator(name)
        if operator.arguments() or UNINFORMATIVE.search(name):
            continue
        places = [
            (node, start) for node in nodes for start, _ in operator().mutation_positions(node)
        ]
        for occurrence, (node, start) in enumerate(places):
            if any(first <= start < last for first, last in silent):
                continue
            if name == "core/RemoveDecorator" and SPEED_ONLY.search(node.get_code()):
                continue
            short = name.removeprefix("core/")
            found.append(Mutant(str(path.relative_to(root)), start, short, occurrence))
    return found


def sample(package: str, size: int, seed: int, root: Path) -> list[Mutant]:
    """A random sample, at most one at a place; a third as many of kernels, slow to compile."""
    generator = random.Random(f"{seed} {package}")
    places: dict[tuple[str, Place], list[Mutant]] = {}
    for path in sorted((root / "recvae" / package).rglob("*.py")):
        is_kernel = "from recvae.jit import" in path.read_text()
        for mutant in file_mutants(path, root):
            if not is_kernel or mutant.place[0] % 3 == seed % 3:
                places.setdefault((mutant.path, mutant.place), []).append(mutant)
    chosen = generator.sample(sorted(places), min(size, len(places)))
    return sorted(generator.choice(places[place]) for place in chosen)


def _silent(node: ast.AST) -> list[tuple[Place, Place]]:
    """Spans where changes affect only annotations, unions of types or messages."""
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
        return [_span(node.annotation)]
    if isinstance(node, ast.FunctionDef) and node.returns:
        return [_span(node.returns)]
    if isinstance(node, ast.Raise):
        return [_span(node)]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
        sides = (getattr(side, "id", "") for side in (node.left, node.right))
        return [_span(node)] if any(re.match("[A-Z]+[a-z]", side) for side in sides) else []
    return []


def _span(node: ast.AST) -> tuple[Place, Place]:
    first, last = (node.lineno, node.col_offset), (node.end_lineno, node.end_col_offset)
    return first, last
