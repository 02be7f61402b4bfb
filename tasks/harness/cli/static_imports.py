"""What is wrong with the imports of a task's files, found without importing them: importing torch takes seconds."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import tasks

ROOT = Path(tasks.__file__).parents[1]
"""The folder of the project's packages."""
PROJECT = ("nalu", "tasks")


def broken_imports(package: str) -> Iterator[str]:
    """One line for each import of a package of the project, and of its modules that it imports, that cannot work."""
    to_do, done = [package], set()
    while to_do:
        module = to_do.pop()
        done.add(module)
        tree = _parsed(module)
        if isinstance(tree, str):
            yield tree
            continue
        for target, names, line in _imports(tree, module):
            if not _exists(target):
                yield f"{module}, line {line}: no module {target}"
                continue
            yield from (f"{module}, line {line}: {target} has no {name}" for name in names if not _has(target, name))
            inside = [target, *(f"{target}.{name}" for name in names)]
            to_do += [name for name in inside if name.startswith(f"{package}.") and _exists(name) and name not in done]


def _file(module: str) -> Path:
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def _parsed(module: str) -> ast.Module | str:
    """The syntax tree of a module of the project, or why there is none."""
    try:
        return ast.parse(_file(module).read_text(encoding="utf-8"))
    except SyntaxError as error:
        return f"{module}, line {error.lineno}: {error.msg}"
    except (OSError, ValueError) as error:
        return f"{module}: {getattr(error, 'strerror', None) or error}"


def _imports(tree: ast.Module, module: str) -> Iterator[tuple[str, list[str], int]]:
    """The imported module, the names from it, and the line, of each import statement outside functions and blocks."""
    package = module.split(".") if _file(module).name == "__init__.py" else module.split(".")[:-1]
    for node in tree.body:
        if isinstance(node, ast.Import):
            yield from ((alias.name, [], node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            target = ".".join([*above, *([node.module] if node.module else [])])
            yield target, [alias.name for alias in node.names], node.lineno


def _exists(module: str) -> bool:
    top = module.split(".")[0]
    if top in PROJECT:
        return _file(module).is_file()
    return find_spec(top) is not None  # of a whole module, this would import its package


def _has(module: str, name: str) -> bool:
    """Whether a module of the project binds a name or has such a module; True where this cannot be told."""
    if module.split(".")[0] not in PROJECT or name == "*" or _exists(f"{module}.{name}"):
        return True
    return binds(module, name)


def binds(module: str, name: str) -> bool:
    """Whether a module of the project binds a name; True where this cannot be told."""
    tree = _parsed(module)
    return isinstance(tree, str) or not {name, "*", "__getattr__"}.isdisjoint(_bound(tree.body))


def _bound(statements: Iterable[ast.AST]) -> Iterator[str]:
    """The names that statements bind outside functions and classes."""
    for node in statements:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.alias):
            yield node.asname or node.name.split(".")[0]
        elif isinstance(node, ast.Name):
            yield node.id
        else:
            yield from _bound(ast.iter_child_nodes(node))
