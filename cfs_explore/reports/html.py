"""An exploration as one HTML file that needs no network: figures, tables, spec, versions, citation."""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Callable, Sequence
from importlib.resources import files

import jinja2
import pandas as pd
from plotly.offline import get_plotlyjs

from cfs_explore.figures import catalogue
from cfs_explore.figures.choices import Choices, choose
from cfs_explore.figures.figure import Figure
from cfs_explore.safe_io.csv_export import to_csv
from cfs_explore.store import Run
from cfs_explore.wording import format_value, true_minus

BIBTEX = """@article{rouzoumka2026backbone,
  title   = {Backbone-Equated Diffusion OOD via Sparse Internal Snapshots},
  author  = {Rouzoumka, Yadang Alexis and Pinsolle, Jean and Terreaux, Eug\\'enie and Morisseau, Christ\\`ele and
             Ovarlez, Jean-Philippe and Ren, Chengfang},
  journal = {arXiv preprint arXiv:2605.11014},
  year    = {2026}
}"""


#: Significant ones of the numbers in its files; pages and the command line write all.
_DIGITS = 9


def html_report(run: Run, what: Sequence[str] = (), choices: Choices | None = None) -> str:
    """The page's text.

    Args:
        run: the exploration.
        what: names of pages or figures of ``catalogue``; empty means all that are of one run.
        choices: what the figures are of; by default what the pages open with.

    Raises:
        RunError: an unknown name, or an option or value that none of these figures has.
    """
    choices = choices or choose(run)
    figures, missing = catalogue.make_figures(run, what, choices)
    chapters, charts = [], {name: json.loads(figure.chart.to_json()) for name, figure in figures.items()}
    for page, kinds in catalogue.PAGES.items():
        shown = [_shown(name, kinds[name].title, figures[name]) for name in kinds if name in figures]
        if shown:
            chapters.append({"name": page, "title": catalogue.CHAPTERS[page], "figures": shown})
    level, tap = run.cell(choices.cell)
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    page = environment.from_string((files("cfs_explore.reports") / "report.html").read_text(encoding="utf-8"))
    return page.render(
        run=run,
        manifest=run.manifest,
        choices=choices,
        cell=f"{run.taps[tap].name} at λ = {format_value(run.levels[level].lam, 1)}",
        chapters=chapters,
        missing=missing,
        sets=_sets(run),
        levels=_table(pd.DataFrame([vars(level) for level in run.levels])),
        taps=_table(pd.DataFrame([vars(tap) for tap in run.taps])),
        spec=(run.path / "spec.yaml").read_text(encoding="utf-8"),
        bibtex=BIBTEX,
        plotly=_packed(get_plotlyjs(), base64.b85encode),
        charts=_packed(json.dumps(charts, separators=(",", ":")), base64.b85encode),
    )


def _shown(name: str, title: str, figure: Figure) -> dict[str, object]:
    """What the page needs of a figure."""
    return {
        "name": name,
        "title": title,
        "alt": figure.alt,
        "caption": figure.caption,
        "height": figure.chart.layout.height or 450,
        "least": figure.least_px,
        "count": len(figure.rows),
        "csv": _packed(to_csv(figure.rows, _DIGITS)),
        "file": f"{figure.stem}.csv",
    }


def _packed(text: str, encode: Callable[[bytes], bytes] = base64.b64encode) -> str:
    """Compressed, as text that the page's script unpacks; the same text gives the same file."""
    return encode(gzip.compress(text.encode(), 9, mtime=0)).decode()


def _sets(run: Run) -> str:
    rows = [
        {"set": entry.name, "role": entry.role, "images": entry.count, "description": entry.description}
        for entry in run.manifest.sets
    ]
    return _table(pd.DataFrame(rows))


def _table(rows: pd.DataFrame) -> str:
    """An HTML table; pandas escapes what the cells say."""
    return rows.to_html(index=False, border=0, float_format=lambda value: true_minus(f"{value:.4g}"), na_rep="")
