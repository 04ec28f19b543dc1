"""A pickle machine of our own that runs nothing: it knows a few instructions and a few names, and refuses the rest.

It decodes instructions with ``pickletools`` and keeps its own stack. A name in the file is never imported; it is looked
up in a table of this project's own functions. Memory and time are bounded by ``Budget``.
"""

from __future__ import annotations

import pickletools
import struct
from collections.abc import Iterator
from typing import Any

from cfs_explore.backbones.restricted_values import (
    Budget,
    Damaged,
    Name,
    Record,
    Refused,
    Tables,
    Window,
    damaged,
    refuse,
)
from cfs_explore.errors import BackboneError

#: What a file may nest, and what it may leave on the stack; networks need about 60 and 3,000.
_MAX_MARKS, _MAX_STACK = 1_000, 100_000

#: Whole instructions that put their own argument on the stack.
_LITERALS = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT", "UNICODE", "BINUNICODE",
    "SHORT_BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
})  # fmt: skip
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_EMPTY = {"EMPTY_LIST": list, "EMPTY_DICT": dict, "EMPTY_SET": set}
_TUPLES = {"TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}
_SCALARS = (str, int, float, type(None))


def read(file: Window, tables: Tables, budget: Budget, source: str) -> Any:
    """The value that the pickle at the file's position stands for.

    Args:
        source: the file's name, for errors.

    Raises:
        BackboneError: for a name or instruction that is not allowed, a file that is cut short or damaged, and one
            that would need unreasonable memory or time.
    """
    try:
        return read_nested(file, tables, budget)
    except Damaged as error:
        raise BackboneError(f"{source} {error}. Download it again and compare its size with the original's.") from error
    except Refused as error:
        raise BackboneError(
            f"{source} was refused, and nothing in it was run: it {error}. Only network snapshots as EDM's training "
            "writes them are read; for other networks give their weights as safetensors."
        ) from error


def read_nested(file: Window, tables: Tables, budget: Budget) -> Any:
    """As ``read``, for a stream inside a file that is being read."""
    return _Machine(tables, budget).run(_instructions(file))


def _instructions(file: Window) -> Iterator[tuple[str, Any]]:
    """Instruction names and arguments up to STOP."""
    decoded = pickletools.genops(file)
    while True:
        try:
            opcode, argument, _ = next(decoded)
        except StopIteration:
            return
        except (ValueError, struct.error, OverflowError, AttributeError) as error:  # the last for long byte strings
            if not file.read(1):
                damaged("was cut short, as by a broken download")
            damaged(f"is damaged or not a pickle ({' '.join(str(error).split())[:80]})")
        if opcode.name == "FRAME" and argument > len(file.rest()):
            damaged("was cut short, as by a broken download")
        yield opcode.name, argument


class _Machine:
    def __init__(self, tables: Tables, budget: Budget):
        self.tables, self.budget = tables, budget
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, instructions: Iterator[tuple[str, Any]]) -> Any:
        for name, argument in instructions:
            self.budget.step()
            if len(self.stack) > _MAX_STACK or len(self.marks) > _MAX_MARKS:
                refuse("nests values deeper than a network needs")
            if name in _LITERALS:
                self.stack.append(argument)
            elif name in _CONSTANTS:
                self.stack.append(_CONSTANTS[name])
            elif name in _EMPTY:
                self.stack.append(_EMPTY[name]())
            elif name in _TUPLES:
                self.stack.append(tuple(reversed([self._pop() for _ in range(_TUPLES[name])])))
            elif name == "STOP":
                return self._pop()
            else:
                action = getattr(self, f"op_{name.lower()}", None)
                if action is None:
                    refuse(f"uses the pickle instruction {name}")
                action(argument)
        damaged("has no end mark")

    # the stack

    def _pop(self) -> Any:
        if not self.stack or (self.marks and self.marks[-1] >= len(self.stack)):
            damaged("is damaged: it takes values that it did not put")
        return self.stack.pop()

    def _top(self, wanted: type | tuple[type, ...]) -> Any:
        if not self.stack or not isinstance(self.stack[-1], wanted):
            refuse("adds to something that is not a plain container")
        return self.stack[-1]

    def _since_mark(self) -> list[Any]:
        if not self.marks:
            damaged("is damaged: it closes what it did not open")
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values

    def op_proto(self, _version: int) -> None:
        pass

    def op_frame(self, _size: int) -> None:
        pass

    def op_mark(self, _: None) -> None:
        self.marks.append(len(self.stack))

    # the memo

    def op_memoize(self, _: None) -> None:
        self.memo[len(self.memo)] = self._top(object)

    def op_put(self, index: int) -> None:
        self.memo[index] = self._top(object)

    def op_get(self, index: int) -> None:
        if index not in self.memo:
            damaged("is damaged: it refers to a value that it did not keep")
        self.stack.append(self.memo[index])

    op_binput = op_long_binput = op_put
    op_binget = op_long_binget = op_get

    # containers

    def op_tuple(self, _: None) -> None:
        self.stack.append(tuple(self._since_mark()))

    def op_list(self, _: None) -> None:
        self.stack.append(self._since_mark())

    def op_dict(self, _: None) -> None:
        self._add_items(items := {}, self._since_mark())
        self.stack.append(items)

    def op_append(self, _: None) -> None:
        value = self._pop()
        self._top(list).append(value)

    def op_appends(self, _: None) -> None:
        values = self._since_mark()
        self._top(list).extend(values)

    def op_setitem(self, _: None) -> None:
        value, key = self._pop(), self._pop()
        self._add_items(self._top(dict), [key, value])

    def op_setitems(self, _: None) -> None:
        values = self._since_mark()
        self._add_items(self._top(dict), values)

    def op_additems(self, _: None) -> None:
        values = self._since_mark()
        self._top(set).update(map(_scalar, values))

    def op_frozenset(self, _: None) -> None:
        self.stack.append(set(map(_scalar, self._since_mark())))

    @staticmethod
    def _add_items(target: dict, values: list[Any]) -> None:
        if len(values) % 2:
            damaged("is damaged: a dictionary has a key without a value")
        target.update(zip(map(_scalar, values[::2]), values[1::2], strict=True))

    # names, calls and objects

    def op_global(self, argument: str) -> None:
        self._push_name(*argument.split(" ", 1))

    def op_stack_global(self, _: None) -> None:
        name, module = self._pop(), self._pop()
        if not isinstance(name, str) or not isinstance(module, str):
            damaged("is damaged: a name in it is not text")
        self._push_name(module, name)

    def _push_name(self, module: str, name: str) -> None:
        full = f"{module}.{name}"
        if full not in self.tables.calls and not self.tables.classes.fullmatch(full):
            refuse(f"names {full[:100]!r}, which is not part of such a snapshot")
        self.stack.append(Name(full))

    def op_reduce(self, _: None) -> None:
        arguments, function = self._pop(), self._pop()
        call = self.tables.calls.get(function.full) if isinstance(function, Name) else None
        if call is None or not isinstance(arguments, tuple):
            refuse("calls something that is not a function of such a snapshot")
        try:
            self.stack.append(call(*arguments))
        except (TypeError, ValueError, OverflowError) as error:
            refuse(f"calls {function.full} with arguments that do not fit ({' '.join(str(error).split())[:80]})")

    def op_newobj(self, _: None) -> None:
        arguments, made = self._pop(), self._pop()
        if not isinstance(made, Name) or not self.tables.classes.fullmatch(made.full) or arguments != ():
            refuse("makes an object of something that is not a class of such a snapshot")
        self.stack.append({} if made.full.endswith(".EasyDict") else Record(made.full))

    def op_build(self, _: None) -> None:
        state = self._pop()
        target = self._top((Record, dict))
        if isinstance(target, Record):  # a dictionary's own attributes are nobody's business
            target.state = state

    def op_binpersid(self, _: None) -> None:
        if self.tables.persistent is None:
            refuse("refers to data outside itself")
        self.stack.append(self.tables.persistent(self._pop()))


def _scalar(value: Any) -> Any:
    """A key of a dictionary, or an element of a set: small and quick to compare, whoever wrote it."""
    if not isinstance(value, _SCALARS) or (isinstance(value, int) and abs(value) > 2**31):
        refuse("has a dictionary key or set element that is neither text nor a small number")
    return value
