"""What a restricted pickle is read with and into: windows, budget, table of names, and inert records of objects."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

#: Bytes from which a part of a file is not copied, and up to which a line is read.
_LARGE = 4096


class Window:
    """A file over bytes in memory or mapped from a file: reads never exceed what is there, and large ones are views."""

    def __init__(self, data: memoryview):
        self.data, self.position = data, 0

    def read(self, count: int) -> bytes | memoryview:
        part = self.data[self.position : self.position + count]
        self.position += len(part)
        return bytes(part) if len(part) <= _LARGE else part

    def readline(self) -> bytes:
        """To the end of the line, if that has a reasonable length."""
        line = bytes(self.data[self.position : self.position + _LARGE])
        line = line[: line.find(b"\n") + 1] or line
        self.position += len(line)
        return line

    def tell(self) -> int:
        return self.position

    def rest(self) -> memoryview:
        """What has not been read."""
        return self.data[self.position :]


class Budget:
    """What may be spent on one file, nested streams included.

    Attributes:
        instructions: how many may still be executed.
        bytes: how much may still be rebuilt.
    """

    def __init__(self, size: int, instructions: int = 1_000_000):
        self.instructions, self.bytes = instructions, 4 * size + 65_536

    def spend(self, count: int) -> None:
        """Count bytes that are rebuilt."""
        self.bytes -= count
        if self.bytes < 0:
            refuse("would rebuild far more data than it holds")

    def step(self) -> None:
        """Count an instruction."""
        self.instructions -= 1
        if self.instructions < 0:
            refuse("has far more instructions than a network needs")


@dataclass(frozen=True)
class Name:
    """A global that the file mentions and the tables allow; never the object itself."""

    full: str


@dataclass(eq=False)
class Record:
    """What stands for an object of a class: the class's name and the object's state, nothing that can act.

    Attributes:
        kind: name of the class, as the file gives it.
        state: usually its attributes, a dict.
        arguments: what it was made from, where that is known.
    """

    kind: str
    state: Any = None
    arguments: tuple = ()


class Refused(Exception):  # noqa: N818 - an answer to the file
    """The file asks for something that is not done for it; made an error with its path by ``read``."""


class Damaged(Refused):
    """The file is not a whole pickle."""


def damaged(what: str) -> NoReturn:
    """End the reading of what is not a whole pickle; ``what`` continues "the file ..."."""
    raise Damaged(what)


def refuse(what: str) -> NoReturn:
    """End the reading; ``what`` continues "the file ..."."""
    raise Refused(what)


@dataclass(frozen=True)
class Tables:
    """What the names in a file stand for.

    Attributes:
        calls: full name -> function of the arguments; it raises TypeError or ValueError for those that do not fit.
        classes: full names of classes that may have inert objects.
        persistent: function of a persistent id; None where there are none.
    """

    calls: Mapping[str, Callable[..., Any]]
    classes: re.Pattern
    persistent: Callable[[Any], Any] | None = None
