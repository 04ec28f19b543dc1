"""What the lab's two experiments can be set to; the page's sliders, and what its figures' captions tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from cfs_explore.charts.theme import format_value

Value = float | str

#: Images of each kind, and seeds to choose from.
IMAGES = 1_000
SEEDS = 1_000


@dataclass(frozen=True)
class Setting:
    """One slider.

    Attributes:
        name: field of ``SimulatedTap`` or ``SimulatedPair``.
        key: in the session and the address.
        label, help: what a person reads.
        options: values that it can take, numbers rising or words.
        default: at the start.
        write: value -> what the slider shows.
        curve: whether there is a curve over it.
    """

    name: str
    key: str
    label: str
    options: Sequence[Value]
    default: Value
    help: str
    write: Callable[[Value], str] = field(default=lambda value: f"{value:g}")
    curve: bool = True

    @property
    def texts(self) -> dict[str, Value]:
        """Each value by its text."""
        return {value_text(value): value for value in self.options}


def steps(low: float, high: float, step: float) -> list[float]:
    """low, low + step, ... high, without rounding dust."""
    return [round(low + i * step, 6) for i in range(round((high - low) / step) + 1)]


def value_text(value: Value) -> str:
    """A value as the address and the command line have it."""
    return value if isinstance(value, str) else f"{value:g}"


def told(settings: Sequence[Setting], values: Mapping[str, Value], but: str = "") -> str:
    """Where every setting stands, for a caption."""
    return ", ".join(f"{s.label} {s.write(values[s.name])}" for s in settings if s.name != but)


TAP_SLIDERS = (
    Setting(
        "channels",
        "lab_d",
        "Features d",
        [1, 2, 4, 8, 16, 32, 64, 128, 256],
        64,
        "Features per image at the tap; the score is the mean of their squared z-scores.",
    ),
    Setting(
        "correlation",
        "lab_rho",
        "Correlation ρ",
        steps(0, 0.95, 0.05),
        0.1,
        "0: the features are uncorrelated. Near 1: all carry the same information.",
    ),
    Setting(
        "shift",
        "lab_shift",
        "Mean shift",
        steps(0, 3, 0.1),
        0.5,
        "Shift of the mean of each shifted feature, in ID standard deviations.",
        write=lambda value: f"{value:g} SD",
    ),
    Setting(
        "share",
        "lab_share",
        "Features shifted",
        [0.02, 0.05, *steps(0.1, 1, 0.1)],
        1.0,
        "Share of the features whose mean is shifted (at least one).",
        write=lambda value: f"{100 * value:g} %",
    ),
    Setting(
        "variance_ratio",
        "lab_ratio",
        "Variance, OOD / ID",
        steps(0.5, 2, 0.1),
        1.0,
        "Variance of each feature among OOD images, relative to ID images.",
        write=lambda value: f"× {value:g}",
    ),
)
PATTERN = Setting(
    "pattern",
    "lab_pattern",
    "Correlated are",
    ["equal", "neighbours"],
    "equal",
    "The same correlation for all pairs of features, or ρ to the power of their distance: neighbours most.",
    write={"equal": "all pairs", "neighbours": "neighbours"}.get,
    curve=False,
)
TAP_SETTINGS = (*TAP_SLIDERS, PATTERN)
#: The setting in hand at the start.
TAP_ALONG = "shift"

PAIR_SLIDERS = (
    Setting(
        "shift_e",
        "lab_shift_e",
        "Encoder shift",
        steps(0, 3, 0.1),
        1.2,
        "Mean encoder score of OOD images minus that of ID images.",
    ),
    Setting(
        "shift_d",
        "lab_shift_d",
        "Decoder shift",
        steps(0, 3, 0.1),
        1.2,
        "Mean decoder score of OOD images minus that of ID images.",
    ),
    Setting(
        "sd_e",
        "lab_sd_e",
        "Encoder spread",
        steps(0.2, 3, 0.1),
        1.0,
        "Standard deviation of the encoder score over ID images.",
    ),
    Setting(
        "sd_d",
        "lab_sd_d",
        "Decoder spread",
        steps(0.2, 3, 0.1),
        1.0,
        "Standard deviation of the decoder score over ID images.",
    ),
    Setting(
        "correlation",
        "lab_r",
        "Correlation r",
        steps(-0.9, 0.9, 0.1),
        0.3,
        "Correlation of encoder and decoder score within a class: do images with a high one have a high other one?",
        write=lambda value: format_value(value, 1),
    ),
)
SPREAD = Setting(
    "variance_ratio",
    "lab_spread",
    "Variance, OOD / ID",
    steps(0.5, 3, 0.5),
    1.0,
    "Variance of both scores among OOD images, relative to ID images.",
    write=lambda value: f"× {value:g}",
)
PAIR_SETTINGS = (*PAIR_SLIDERS, SPREAD)
PAIR_ALONG = "correlation"
