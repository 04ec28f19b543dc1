"""Controls: what a visitor or a command line can choose, each declared once, beside the figures that read it.

A control's name is its key in the session and the address and its option after ``--set``, with the same texts for its
values; ``ui.choosing`` draws it.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from cfs_explore.errors import RunError
from cfs_explore.store import Run

Value = str | int | float
Of = TypeVar("Of")
#: What may depend on the run.
PerRun = Of | Callable[[Run], Of]
#: Names in one text that are reported as nobody's; what follows is not looked up.
_MOST_UNKNOWN = 20


@dataclass(frozen=True)
class Control:
    """One choice.

    Attributes:
        name: in the session, in the address and after ``--set``.
        title: what is chosen; above its widget, and what ``figures --list`` says.
        values: that it can have -> what the widget calls them; empty where any text will do.
        default: what pages and figures open with; without, the first value, or "" where there are none.
        help: on hover, as Markdown.
        drawn: its widget; "many" chooses several of the values.
        width: of the widget in pixels; without, the widget's own.
        between: the ends of the numbers that the command line accepts besides the values; whole where both are.
        written: how a value is written after ``--set`` where the values depend on the run.
        former: names by which older versions knew it after ``--set``, and which still do.
        noun: what one of its values is, in a sentence; without, the title stands for it.
    """

    name: str
    title: str
    values: PerRun[Mapping[Value, str]] = ()
    default: PerRun[Value | None] = None
    help: str | None = None
    drawn: Literal["segmented", "select", "radio", "slider", "many"] = "segmented"
    width: int | None = None
    between: tuple[float, float] | None = None
    written: str = ""
    former: tuple[str, ...] = ()
    noun: str = ""

    def labels(self, run: Run | None = None) -> dict[Value, str]:
        """The values of a run -> what the widget calls them."""
        return dict(self.values(run) if callable(self.values) else self.values)

    def opening(self, run: Run | None = None) -> Value:
        """What pages open with."""
        if self.default is None:
            return next(iter(self.labels(run)), "")
        return self.default(run) if callable(self.default) else self.default

    def one(self, value: Value, run: Run | None = None) -> str:
        """A value as the address and the command line have it."""
        return value_text(value)

    def find(self, text: str, run: Run | None = None) -> Value:
        """The inverse of ``one``; numbers may be written otherwise.

        Raises:
            RunError: naming the values that there are.
        """
        known = self.labels(run)
        if not self.values:
            return self.number({self.name: text}) if self.between else text
        for same in (lambda value: self.one(value, run) == text, lambda value: self.same_number(value, text)):
            for value in filter(same, known):
                return value
        of = f" for {run.name}" if run and callable(self.values) else ""
        allowed = ", ".join(self.one(value, run) for value in known)
        raise RunError(f"The option '{self.name}' must be one of {allowed}{of}. Got {text!r} instead.")

    def same_number(self, value: Value, text: str) -> bool:
        """Whether a text is this value, written otherwise."""
        try:
            return not isinstance(value, str) and float(text) == value
        except ValueError:
            return False

    def write(self, value: Value, run: Run | None = None) -> str:
        """What is chosen, as the address and the command line have it."""
        return self.one(value, run)

    def read(self, text: str, run: Run | None = None) -> Value:
        """The inverse of ``write``; RunError as of ``find``."""
        return self.find(text, run)

    def sort_out(self, text: str, run: Run | None = None) -> tuple[Value | None, list[str]]:
        """The value that a text names, None where it names none; and the names in it that are no value's."""
        try:
            return self.find(text, run), []
        except (RunError, ValueError):  # also of a number of more digits than Python reads
            return None, [text]

    def said(self, given: Mapping[str, str]) -> str | None:
        """The control's text among the options given, under any of its names; None where it is not among them."""
        return next((given.get(name) for name in (self.name, *self.former) if given.get(name)), None)

    def of(self, given: Mapping[str, str], run: Run | None = None) -> str:
        """The same; the default's where it is not among them."""
        said = self.said(given)
        return self.write(self.opening(run), run) if said is None else said

    def number(self, given: Mapping[str, str], between: tuple[float, float] | None = None) -> float:
        """The number that is given, between the control's ends or, where they depend on the run, these.

        Raises:
            RunError: it is none.
        """
        text, (low, high) = self.of(given), between or self.between
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not low <= number <= high:
            raise RunError(f"The option '{self.name}' must be a number from {low:g} to {high:g}. Got {text!r} instead.")
        if not (isinstance(low, int) and isinstance(high, int)):
            return number
        if number != int(number):
            raise RunError(f"The option '{self.name}' must be a whole number. Got {text!r} instead.")
        return int(number)

    def allowed(self) -> str:
        """What may stand after ``--set``: 'a | b', or of many values the ends; '...' where ``written`` says it."""
        if self.between:
            return "{:g} to {:g}".format(*self.between)
        texts = [] if callable(self.values) else [self.write(value) for value in self.labels()]
        return " | ".join(texts if len(texts) < 7 else [*texts[:2], "...", texts[-1]]) or "..."


@dataclass(frozen=True)
class Several(Control):
    """A choice of several values, each named as on the widget; older links have positions: '24.36'."""

    drawn: str = "many"

    def opening(self, run: Run | None = None) -> list[Value]:
        """What pages open with; none, without a default."""
        return [] if self.default is None else super().opening(run)

    def one(self, value: Value, run: Run | None = None) -> str:
        """A single value: what the widget calls it."""
        return self.labels(run)[value]

    def same_number(self, value: Value, text: str) -> bool:
        """Whether a text is this position; '1.0' is two of them."""
        return str(value) == text

    def write(self, value: Sequence[Value], run: Run | None = None) -> str:
        """'letters,noisy'; 'none' for none."""
        return join_names(self.one(each, run) for each in value) or "none"

    def read(self, text: str, run: Run | None = None) -> list[Value]:
        """The inverse of ``write``."""
        found, unknown = self.sort_out(text, run)
        for name in unknown:
            self.find(name, run)
        return found

    def sort_out(self, text: str, run: Run | None = None) -> tuple[list[Value] | None, list[str]]:
        """As of a single choice: what is known of several stays."""
        if text == "none":
            return [], []
        positions = [each for each in text.split(".") if each] if text.replace(".", "").isdigit() else []
        for names in (split_names(text), positions):
            found, unknown = {}, []
            for name in names:
                value, no_value = super().sort_out(name, run)
                found |= {} if no_value else {value: name}
                unknown += no_value
                if len(unknown) == _MOST_UNKNOWN:
                    break
            if not unknown or not positions:
                break
        return (list(found) if found or not unknown else None), unknown


def value_text(value: Value) -> str:
    """A number in its shortest form, a word as it is."""
    return f"{value:g}" if isinstance(value, float) else str(value)


def join_names(names: Iterable[str]) -> str:
    """Names in one text, comma-separated; one with a comma in quotation marks."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerow(names)  # the ends of lines that it knows are quoted in names
    return text.getvalue().removesuffix("\r\n")


def split_names(text: str) -> list[str]:
    """The inverse of ``join_names``, each name once; blanks around a name do not count."""
    try:
        parts = next(csv.reader(io.StringIO(text, newline=""), skipinitialspace=True), [])
    except csv.Error:  # a name of more than 131,072 characters, which is none
        parts = [text]
    return list(dict.fromkeys(part.strip() for part in parts if part.strip()))


def check(given: Mapping[str, str], known: Iterable[Control]) -> None:
    """Whether each of these is a control of the figures, with a value that it can have.

    Raises:
        RunError: naming those that there are.
    """
    controls = {control.name: control for control in known}
    names = {name: control for control in controls.values() for name in (*control.former, control.name)}
    for name, text in given.items():
        if name not in names:
            have = f"They have: {', '.join(controls)}." if controls else "They have none."
            raise RunError(f"The figures asked for have no option {name!r}. {have}")
        control = names[name]
        if control.values and not callable(control.values) and not control.between:
            control.read(text)
