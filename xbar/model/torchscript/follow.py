"""Symbolic interpreter of TorchScript, from a model's input to its output.

Conditions and loops must be static, that is, determined by the model's attributes and the input's
shape: one branch is followed and the other ignored, and a loop is written out. Other control flow
is refused with an error that names it.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType

from xbar.errors import FileError, ModelError
from xbar.model.build import Builder
from xbar.model.graph import Ref
from xbar.model.torchscript.objects import Call, Instance, Tree
from xbar.model.torchscript.operations import apply, as_number, primitive
from xbar.model.torchscript.script import Script
from xbar.model.torchscript.values import (
    Context,
    Function,
    Items,
    Module,
    Table,
    Tensors,
    Value,
    is_static,
    is_tensor,
    plain_value,
)

_DEEPEST = 60
_MOST_STEPS = 20_000
_RETURNED = "return"
"""Key of a function's result in its scope; not a valid variable name."""

_CONTEXTS = frozenset(
    f"__torch__.torch.autograd.grad_mode.{name}.__new__"
    for name in ("no_grad", "enable_grad", "inference_mode")
)
Scope = dict[str, Value]


@dataclass
class Follower:
    """Interprets one archive's functions and adds their operations to a builder."""

    script: Script
    tensors: Tensors
    builder: Builder
    constants: Sequence[Tree]
    depth: int = 0
    steps: int = 0
    refs: dict[int, Ref] = field(default_factory=dict)

    def call(self, name: str, args: list[Value], kwargs: Mapping[str, Value]) -> Value:
        """Result of one of the archive's functions.

        Raises:
            ModelError: it contains an unsupported construct.
            FileError: it is missing from the archive.
        """
        function = self.script.function(name)
        if self.depth >= _DEEPEST:
            raise ModelError(f"{name}: its functions call each other more than {_DEEPEST} deep")
        self.depth += 1
        scope = self._bind(function, args, kwargs)
        self._block(function.body, scope)
        self.depth -= 1
        return scope.get(_RETURNED)

    def _bind(
        self, function: ast.FunctionDef, args: list[Value], kwargs: Mapping[str, Value]
    ) -> Scope:
        names = [each.arg for each in function.args.args]
        defaults = function.args.defaults
        scope: Scope = {}
        for name, default in zip(names[len(names) - len(defaults) :], defaults, strict=True):
            scope[name] = self._value(default, {})
        scope |= dict(zip(names, args, strict=False)) | dict(kwargs)
        if len(args) > len(names) or any(name not in scope for name in names):
            raise ModelError(f"{function.name} takes {names}, and is called with {len(args)}")
        return scope

    def _block(self, body: Sequence[ast.stmt], scope: Scope) -> None:
        for item in body:
            if _RETURNED in scope:
                return
            self._statement(item, scope)

    def _statement(self, item: ast.stmt, scope: Scope) -> None:
        self._step()
        if isinstance(item, ast.Return):
            scope[_RETURNED] = None if item.value is None else self._value(item.value, scope)
        elif isinstance(item, ast.Assign) and len(item.targets) == 1:
            self._assign(item.targets[0], self._value(item.value, scope), scope)
        elif isinstance(item, ast.AnnAssign) and item.value is not None:
            self._assign(item.target, self._value(item.value, scope), scope)
        elif isinstance(item, ast.Expr):
            self._value(item.value, scope)
        elif isinstance(item, ast.If):
            chosen = item.body if self._condition(item.test, scope) else item.orelse
            self._block(chosen, scope)
        elif isinstance(item, ast.With):
            if not all(isinstance(self._value(w.context_expr, scope), Context) for w in item.items):
                raise ModelError("its code enters a context other than torch.no_grad")
            self._block(item.body, scope)
        elif isinstance(item, ast.For) and not item.orelse:
            self._loop(item, scope)
        elif not isinstance(item, (ast.Pass, ast.AnnAssign)):
            raise ModelError(
                f"its code has a {type(item).__name__.lower()} statement, which is not read"
            )

    def _step(self) -> None:
        self.steps += 1
        if self.steps > _MOST_STEPS:
            raise ModelError(f"the model takes more than {_MOST_STEPS} steps")

    def _loop(self, item: ast.For, scope: Scope) -> None:
        """A loop over a static range."""
        if not isinstance(item.iter, ast.Call) or _dotted(item.iter.func) != "range":
            raise ModelError("its code has a loop over something other than a range")
        limits = [self._value(each, scope) for each in item.iter.args]
        if not 1 <= len(limits) <= 3 or not all(type(each) is int for each in limits):
            raise ModelError("the length of a loop depends on computed values or on the batch")
        if len(limits) == 3 and limits[2] == 0:
            raise ModelError("its code has a loop whose step is 0")
        for value in range(*limits):
            if _RETURNED in scope:
                return
            self._step()  # of an empty body too
            self._assign(item.target, value, scope)
            self._block(item.body, scope)

    def _condition(self, test: ast.expr, scope: Scope) -> bool:
        value = self._value(test, scope)
        if not is_static(value):
            raise ModelError(
                "its control flow depends on computed values: there is no single network"
            )
        return bool(value)

    def _assign(self, target: ast.expr, value: Value, scope: Scope) -> None:
        if isinstance(target, ast.Name):
            scope[target.id] = value
            return
        if not isinstance(target, (ast.Tuple, ast.List)):
            raise ModelError("its code changes the model's own state")
        if not isinstance(value, (list, tuple)) or len(value) != len(target.elts):
            raise ModelError("its code unpacks something that is not a tuple of that length")
        for each, part in zip(target.elts, value, strict=True):
            self._assign(each, part, scope)

    def _value(self, item: ast.expr, scope: Scope) -> Value:
        handler = _EXPRESSIONS.get(type(item))
        if handler is None:
            raise ModelError(
                f"its code has a {type(item).__name__.lower()} expression, which is not read"
            )
        return handler(self, item, scope)

    def _name(self, item: ast.Name, scope: Scope) -> Value:
        if item.id in scope:
            return scope[item.id]
        if item.id in ("inf", "nan"):
            return float(item.id)
        if item.id == "__torch__":
            return Function(item.id)
        raise ModelError(f"its code uses {item.id[:60]!r}, which is not defined")

    def _attribute(self, item: ast.Attribute, scope: Scope) -> Value:
        if isinstance(item.value, ast.Name) and item.value.id == "CONSTANTS":
            number = item.attr.removeprefix("c")
            if not number.isdecimal() or int(number) >= len(self.constants):
                raise FileError(f"the archive lacks its constant {item.attr[:60]!r}")
            tree = self.constants[int(number)]
            found = self._tree(tree, f"constants.{number}", "constants")
            array = self.builder.array(found) if isinstance(found, Ref) else None
            if (
                isinstance(found, Ref)
                and array is not None
                and array.ndim == 0
                and array.dtype.kind in "if"
            ):
                self.builder.scalars[found.name] = array.item()
            return found
        owner = self._value(item.value, scope)
        if isinstance(owner, Function):
            return Function(f"{owner.name}.{item.attr}")
        return self._member(owner, item.attr)

    def _member(self, owner: Value, name: str) -> Value:
        state = owner.instance.state if isinstance(owner, Module) else None
        if not isinstance(owner, Module) or not isinstance(state, dict) or name not in state:
            raise ModelError(f"its code reads {name[:60]!r} of something without that attribute")
        path = f"{owner.path}.{name}" if owner.path else name
        return self._tree(state[name], path, "data")

    def _tree(self, tree: Tree, path: str, folder: str) -> Value:
        if isinstance(tree, Instance):
            return Module(tree, path)
        if isinstance(tree, Call) and is_tensor(tree):
            if id(tree) not in self.refs:  # a shared tensor is one constant
                array = self.tensors.array(tree, folder)
                self.refs[id(tree)] = self.builder.anonymous(path, array)
            return self.refs[id(tree)]
        return plain_value(tree, path)

    def _sequence(self, item: ast.List | ast.Tuple, scope: Scope) -> Value:
        return Items(self._value(each, scope) for each in item.elts)

    def _dictionary(self, item: ast.Dict, scope: Scope) -> Value:
        keys = [None if key is None else self._value(key, scope) for key in item.keys]
        if not all(isinstance(key, (str, int)) for key in keys):
            raise ModelError("its code makes a dictionary whose keys are not text or numbers")
        return Table(keys, (self._value(each, scope) for each in item.values))

    def _subscript(self, item: ast.Subscript, scope: Scope) -> Value:
        value, index = self._value(item.value, scope), self._value(item.slice, scope)
        if isinstance(value, dict) and isinstance(index, (str, int)) and index in value:
            return value[index]
        fits = isinstance(value, (list, tuple)) and type(index) is int
        if not fits or not -len(value) <= index < len(value):
            raise ModelError("its code indexes something that is not a list of that length")
        return value[index]

    def _negative(self, item: ast.UnaryOp, scope: Scope) -> Value:
        value = self._value(item.operand, scope)
        if not isinstance(item.op, ast.USub) or not isinstance(value, (int, float)):
            raise ModelError("its code has an operator that is not read")
        return -value

    def _call(self, item: ast.Call, scope: Scope) -> Value:
        name = _dotted(item.func)
        if name in _BUILTINS and name not in scope:
            count, function = _BUILTINS[name]
            if len(item.args) != count or item.keywords:
                raise ModelError(f"its code must call {name} with {count} arguments")
            return function(self, item, scope)
        if name in _CONTEXTS:
            return Context()
        args = [self._value(each, scope) for each in item.args]
        kwargs = {each.arg: self._value(each.value, scope) for each in item.keywords if each.arg}
        if name.startswith("torch."):
            return apply(self.builder, name.removeprefix("torch."), args, kwargs)
        if name == "ops.prim.RaiseException":
            raise ModelError(f"the model itself refuses such inputs: {str(args[:1])[:120]}")
        if name.startswith("ops.prim."):
            return primitive(self.builder, name.removeprefix("ops.prim."), args)
        if name.startswith("ops."):
            raise ModelError(f"its code calls {name[:60]}, which is not an ATen operation")
        if isinstance(item.func, ast.Attribute):
            owner = self._value(item.func.value, scope)
            if isinstance(owner, Context) and item.func.attr == "__init__":
                return None
            if isinstance(owner, Module):
                return self.call(f"{owner.instance.kind}.{item.func.attr}", [owner, *args], kwargs)
        function = self._value(item.func, scope)
        if not isinstance(function, Function):
            raise ModelError("its code calls something that is not a function")
        return self.call(function.name, args, kwargs)

    def _getattr(self, item: ast.Call, scope: Scope) -> Value:
        name = item.args[1]
        if not isinstance(name, ast.Constant) or not isinstance(name.value, str):
            raise ModelError("its code reads an attribute by a computed name")
        return self._member(self._value(item.args[0], scope), name.value)

    def _second(self, item: ast.Call, scope: Scope) -> Value:
        return self._value(item.args[1], scope)

    def _number(self, item: ast.Call, scope: Scope) -> Value:
        value = self._value(item.args[0], scope)
        if isinstance(value, Ref) and not self.builder.dtype(value):
            return value  # a size that depends on the batch
        value = as_number(self.builder, value)
        convert = {"int": int, "float": float, "bool": bool}[_dotted(item.func)]
        if not isinstance(value, (bool, int, float, str)):
            raise ModelError(
                "its code converts a tensor to a number, so there is no single network"
            )
        try:
            return convert(value)
        except (ValueError, OverflowError):
            raise ModelError(f"its code converts {str(value)[:40]!r} to a number") from None


def _dotted(item: ast.expr) -> str:
    """Dotted name of an expression, or "".

    >>> _dotted(ast.parse("torch.nn.relu").body[0].value)
    'torch.nn.relu'
    """
    parts: list[str] = []
    while isinstance(item, ast.Attribute):
        parts.append(item.attr)
        item = item.value
    return ".".join([item.id, *reversed(parts)]) if isinstance(item, ast.Name) else ""


_EXPRESSIONS: Mapping[type[ast.expr], Callable[..., Value]] = MappingProxyType(
    {
        ast.Name: Follower._name,
        ast.Constant: lambda _, item, __: item.value,
        ast.Attribute: Follower._attribute,
        ast.List: Follower._sequence,
        ast.Tuple: Follower._sequence,
        ast.Dict: Follower._dictionary,
        ast.Subscript: Follower._subscript,
        ast.UnaryOp: Follower._negative,
        ast.Call: Follower._call,
    }
)
_BUILTINS: Mapping[str, tuple[int, Callable[..., Value]]] = MappingProxyType(
    {
        "getattr": (2, Follower._getattr),
        "annotate": (2, Follower._second),
        "unchecked_cast": (2, Follower._second),
        "uninitialized": (1, lambda _, __, ___: None),
        "int": (1, Follower._number),
        "float": (1, Follower._number),
        "bool": (1, Follower._number),
    }
)
"""Built-in functions: number of arguments, and the implementation."""
