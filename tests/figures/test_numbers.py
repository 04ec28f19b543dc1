"""Captions, alternative texts and marks of all figures write numbers in one way: 2,000 and −10.1."""

import re

import pytest
from bundles import bundle

from cfs_explore.figures import catalogue
from cfs_explore.figures.choices import choose

#: A hyphen in the place of a minus sign, as in 'up1 @ -1.2', but not in '2-3', 'CIFAR-10' or '...-01'.
HYPHEN = re.compile(r"(?<![\w.)\]-])-\d[\d.]*")
#: Years of publications.
CITED = re.compile(r"(et al\.|[A-Z][a-z]+) (19|20)\d\d(?=[;:,)])")
#: Four digits or more without a comma; ids of images and names of files are letters and digits in one.
NO_COMMA = re.compile(r"(?<![\w.,/-])[1-9]\d{3,}(?![\w/-])(?!\.[a-z])")


def badly_written(text: str) -> list[str]:
    """Numbers that are written otherwise."""
    plain = CITED.sub(" ", re.sub(r"<[^>]*>", " ", text))
    return HYPHEN.findall(plain) + NO_COMMA.findall(plain)


def texts_of(figure) -> list[str]:
    """What a figure says: caption, alternative text, marks, and what stands on hover."""
    said = [figure.caption, figure.alt, *(note.text for note in figure.chart.layout.annotations if note.text)]
    for trace in figure.chart.data:
        hover = getattr(trace, "hovertext", None)
        said += [hover] if isinstance(hover, str) else list(hover if hover is not None else ())
        said.append(trace.name or "")
    return said


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("λ -1.2 and n = 2000", ["-1.2", "2000"]),
        ("λ −1.2, 2,000 of CIFAR-10, id 12ab, 0.1234, a-7 (Bates et al. 2023)", []),
    ],
)
def test_the_scan_finds_them(text, found):
    assert badly_written(text) == found


@pytest.mark.parametrize(
    "name",
    [
        "digits",
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("digits-narrow", "cifar10-ddpm", "cifar10-uvit")),
        pytest.param("cifar10-edm", marks=pytest.mark.slow),
    ],
)
def test_every_figure_writes_numbers_alike(name):
    run = bundle(name)
    names = set(run.images("id_test")["name"]) | {
        each for ood in run.ood_names for each in run.images("ood", ood)["name"]
    }
    wrong = {}
    for ood in (run.ood_names[0], run.ood_names[-1]):
        figures, _ = catalogue.make_figures(run, (), choose(run, ood=ood))
        assert len(figures) > 15
        for key, figure in figures.items():
            texts = (t for t in texts_of(figure) if not any(part in names for part in re.split(r"<[^>]*>", t)))
            if bad := sorted({each for text in texts for each in badly_written(text)}):
                wrong[key, ood] = bad[:5]
    assert wrong == {}
