"""What one page's control sets for its figures alone, by a name that command line and Python can tell."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cfs_explore.errors import RunError


@dataclass(frozen=True)
class Option:
    """One control.

    Attributes:
        name: as it is told.
        default: what the page opens with.
        help: one line.
        values: that it can have; empty where they depend on the run, and the figure says which there are.
    """

    name: str
    default: str
    help: str
    values: tuple[str, ...] = ()

    def of(self, told: Mapping[str, str]) -> str:
        """The value among those told, or the default."""
        return told.get(self.name, self.default)


def check(told: Mapping[str, str], known: Iterable[Option]) -> None:
    """Whether each of these is an option of the figures, with a value that it can have.

    Raises:
        RunError: naming those that there are.
    """
    options = {option.name: option for option in known}
    for name, value in told.items():
        if name not in options:
            have = f"They have: {', '.join(options)}." if options else "They have none."
            raise RunError(f"The figures asked for have no option {name!r}. {have}")
        allowed = options[name].values
        if allowed and value not in allowed:
            raise RunError(f"The option '{name}' must be one of {', '.join(allowed)}. Got {value!r} instead.")


def read_whole_number(option: Option, told: Mapping[str, str], low: int, high: int) -> int:
    """An option's value as a whole number between two ends.

    Raises:
        RunError: it is none.
    """
    number = read_number(option, told, low, high)
    if number != int(number):
        raise RunError(f"The option '{option.name}' must be a whole number. Got {option.of(told)!r} instead.")
    return int(number)


def read_number(option: Option, told: Mapping[str, str], low: float, high: float) -> float:
    """An option's value as a number between two ends.

    Raises:
        RunError: it is none.
    """
    value = option.of(told)
    try:
        number = float(value)
    except ValueError:
        number = float("nan")
    if not low <= number <= high:
        raise RunError(f"The option '{option.name}' must be a number from {low:g} to {high:g}. Got {value!r} instead.")
    return number
