"""What the lab's two experiments can be set to; the page's sliders, and what its figures' captions say."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from cfs_explore.figures.options import Control, Value, value_text
from cfs_explore.wording import format_value

#: Images of each kind, and seeds to choose from.
IMAGES = 1_000
SEEDS = 1_000
SEED = Control("lab_seed", "Seed of the simulated scores", default=0, between=(0, SEEDS - 1), former=("seed",))


@dataclass(frozen=True)
class Setting(Control):
    """One slider.

    Attributes:
        field: of ``SimulatedTap`` or ``SimulatedPair``.
        curve: whether there is a curve over it.
    """

    drawn: str = "slider"
    width: int | None = 150
    field: str = ""
    curve: bool = True


def _setting(
    field: str,
    title: str,
    values: Sequence[Value],
    default: Value,
    help: str,
    word: str = "",
    write: Callable[[Value], str] = value_text,
    curve: bool = True,
) -> Setting:
    """A slider over ``values``, named ``lab_<word>``, as its field without one; ``write`` gives what it shows."""
    word, labels = word or field, {value: write(value) for value in values}
    return Setting(f"lab_{word}", title, labels, default, help, former=(word,), field=field, curve=curve)


def _in_hand(word: str, settings: Sequence[Setting], first: str) -> Control:
    """Which setting moves along a curve: the slider that was moved last."""
    titles = {setting.field: setting.title for setting in settings if setting.curve}
    return Control(f"lab_{word}", "Which setting moves", titles, first, former=(word,))


def steps(low: float, high: float, step: float) -> list[float]:
    """low, low + step, ... high, without rounding dust."""
    return [round(low + i * step, 6) for i in range(round((high - low) / step) + 1)]


def settings_text(settings: Sequence[Setting], values: Mapping[str, Value], but: str = "") -> str:
    """Where every setting stands, for a caption."""
    return ", ".join(f"{s.title} {s.values[values[s.field]]}" for s in settings if s.field != but)


def _times(value: float) -> str:
    return f"× {value:g}"


TAP_SLIDERS = (
    _setting(
        "channels",
        "Features d",
        [1, 2, 4, 8, 16, 32, 64, 128, 256],
        64,
        "Features per image at the tap; the score is the mean of their squared z-scores.",
        word="d",
    ),
    _setting(
        "correlation",
        "Correlation ρ",
        steps(0, 0.95, 0.05),
        0.1,
        "0: the features are uncorrelated. Near 1: all carry the same information.",
        word="rho",
    ),
    _setting(
        "shift",
        "Mean shift",
        steps(0, 3, 0.1),
        0.5,
        "Shift of the mean of each shifted feature, in ID standard deviations.",
        write=lambda value: f"{value:g} SD",
    ),
    _setting(
        "share",
        "Features shifted",
        [0.02, 0.05, *steps(0.1, 1, 0.1)],
        1.0,
        "Share of the features whose mean is shifted (at least one).",
        write=lambda value: f"{100 * value:g} %",
    ),
    _setting(
        "variance_ratio",
        "Variance, OOD / ID",
        steps(0.5, 2, 0.1),
        1.0,
        "Variance of each feature among OOD images, relative to ID images.",
        word="ratio",
        write=_times,
    ),
)
PATTERN = _setting(
    "pattern",
    "Correlated are",
    ["equal", "neighbours"],
    "equal",
    "The same correlation for all pairs of features, or ρ to the power of their distance: highest between neighbours.",
    write={"equal": "all pairs", "neighbours": "neighbours"}.get,
    curve=False,
)
TAP_SETTINGS = (*TAP_SLIDERS, PATTERN)
#: The setting in hand at the start.
TAP_ALONG = "shift"
TAP_CURVE = _in_hand("along", TAP_SETTINGS, TAP_ALONG)

_SIDES = ("encoder", "decoder")
PAIR_SLIDERS = (
    *(
        _setting(
            f"shift_{side[0]}",
            f"{side.capitalize()} shift",
            steps(0, 3, 0.1),
            1.2,
            f"Mean {side} score of OOD images minus that of ID images.",
        )
        for side in _SIDES
    ),
    *(
        _setting(
            f"sd_{side[0]}",
            f"{side.capitalize()} spread",
            steps(0.2, 3, 0.1),
            1.0,
            f"Standard deviation of the {side} score over ID images.",
        )
        for side in _SIDES
    ),
    _setting(
        "correlation",
        "Correlation r",
        steps(-0.9, 0.9, 0.1),
        0.3,
        "Correlation of encoder and decoder score within a class: do images with a high encoder score also have a high "
        "decoder score?",
        word="r",
        write=lambda value: format_value(value, 1),
    ),
)
SPREAD = _setting(
    "variance_ratio",
    "Variance, OOD / ID",
    steps(0.5, 3, 0.5),
    1.0,
    "Variance of both scores among OOD images, relative to ID images.",
    word="spread",
    write=_times,
)
PAIR_SETTINGS = (*PAIR_SLIDERS, SPREAD)
PAIR_ALONG = "correlation"
PAIR_CURVE = _in_hand("across", PAIR_SETTINGS, PAIR_ALONG)
