"""The protocol page: what makes backbones comparable, and how much a map depends on it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import streamlit as st

from cfs_explore.errors import CFSError
from cfs_explore.figures.against import AGAINST, MOST_OTHERS
from cfs_explore.figures.choices import OOD, Choices, choose
from cfs_explore.figures.options import Control, join_names, split_names
from cfs_explore.store import Run
from cfs_explore.ui import (
    choosing,
    data,
    diagnostic_page,
    protocol_alignment,
    protocol_compare,
    protocol_conditioning,
    protocol_cost,
    protocol_groups,
    protocol_levels,
    protocol_transfer,
    state,
)
from cfs_explore.ui.damage import fragment
from cfs_explore.ui.sidebar import escape

LOOK = Control(
    "protocol_view",
    "Look at",
    {
        "levels": "Levels",
        "alignment": "Alignment",
        "conditioning": "Conditioning",
        "cost": "Cost",
        "groups": "Near and far",
        "compare": "Side by side",
        "transfer": "Transfer",
    },
    help="Levels: which noise each level is, and what it looks like. Alignment: how the map changes when levels "
    "are placed elsewhere. Conditioning: what the map loses on wrong levels, labels or prompts. Cost: AUROC against "
    "forwards and time. Near and far: means over groups of OOD sets, and full-spectrum AUROC. Side by side: two "
    "backbones at equal levels and equal cost. Transfer: whether the map of one backbone chooses well on another.",
)
#: Given the run and what it is of, with the explorations beside it: draws it and returns its headline, "" for none.
_SHOW: dict[str, Callable[[Run, Choices], str]] = {
    "levels": protocol_levels.show,
    "alignment": protocol_alignment.show,
    "conditioning": protocol_conditioning.show,
    "cost": protocol_cost.show,
    "groups": protocol_groups.show,
    "compare": protocol_compare.show,
    "transfer": protocol_transfer.show,
}
_FORMULAS = {
    "**Level** (1): the log-SNR λ of what the network sees; a discrete schedule takes its nearest step.": r"x_\lambda "
    r"= a\,x_0 + b\,e,\quad \lambda=\ln\frac{a^2}{b^2},\quad t^\ast=\arg\min_t|\lambda_t-\lambda|",
    "**Score magnitude** and **visible change** (1), which other alignments hold equal between backbones:": r"\frac{"
    r"\mathbb{E}\,|\hat\varepsilon|^2}{\dim},\qquad \mathbb{E}\left[1-\mathrm{SSIM}\!\left(x_0,\tfrac{x_\lambda}{a}"
    r"\right)\right]",
    "**Effective #F** (1): with D draws, the sum over a detector's levels of the share of a forward's floating-point "
    "work done when its last tap fires:": r"\#F_{\mathrm{eff}}=D\sum_{k}\frac{\mathrm{FLOP}(\text{last tap at }k)}{"
    r"\mathrm{FLOP}(\text{all})}",
    "**Group mean** (36) of S OOD sets, each counting alike; in the full spectrum the ID images x include the "
    "covariate-shifted ones:": r"\bar A=\frac1S\sum_{s}\frac{1}{m\,n_s}\sum_{i,j}\left[\mathbb{1}(y_{sj}>x_i)+\tfrac12"
    r"\mathbb{1}(y_{sj}=x_i)\right]",
    "**Difference** of two maps: paired where both scored the same images, else both single intervals joined "
    "(Zou and Donner 2008).": r"\Delta=A_2-A_1",
    "**Transfer** (26) from backbone A to B: c is chosen on one half of the images, B's AUROC is of the other half; "
    "averaged over halves.": r"\mathrm{AUROC}_B\big(c^\ast_B\big)-\mathrm{AUROC}_B\big(c^\ast_A\big)",
}


def show(run: Run) -> None:
    """The whole page for one run."""
    others = {name: path for name, path in data.explorations().items() if path != run.path}
    titles = data.titles(others)
    state.restore(
        AGAINST.name,
        _default_others(run),
        parse=lambda text: [name for name in split_names(text) if name in others],
        write=join_names,
        lacking="There is no other exploration",
        label=lambda names: ", ".join(titles[name] for name in names) or "none",
        missing=lambda text: [name for name in split_names(text) if name not in others],
    )
    st.session_state[AGAINST.name] = [name for name in st.session_state[AGAINST.name] if name in others][:MOST_OTHERS]
    _page(run, others)


def _default_others(run: Run) -> list[str]:
    """The first exploration of another backbone on the same ID set that measured one of the run's OOD sets."""
    for other in data.readable():
        another = other.manifest.backbone.fingerprint != run.manifest.backbone.fingerprint
        same = other.id_test.name == run.id_test.name  # an altered set of other images has the same name
        if another and same and set(run.ood_names) & set(other.ood_names):
            return [other.path.name]
    return []


@fragment
def _page(run: Run, others: dict[str, Path]) -> None:
    """Everything but the sidebar."""
    st.title("What makes backbones comparable?", anchor=False)
    headline = st.empty()
    ood, view = _controls(run, others)
    beside = _load(st.session_state[AGAINST.name], others)
    with st.container(key=f"view_of_{view}"):
        text = _SHOW[view](run, replace(choose(run, ood=ood), beside=beside))
    if text:
        headline.markdown(text)
    diagnostic_page.formulas(_FORMULAS)


def _controls(run: Run, others: dict[str, Path]) -> tuple[str, str]:
    view = choosing.choose(LOOK)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        choosing.restore(OOD, run)
        if view not in ("groups", "transfer"):  # which are of all sets
            choosing.draw(OOD, run)
        choosing.remember(run, OOD)
        if view in ("levels", "cost", "groups", "compare", "transfer"):
            known = replace(AGAINST, values=data.titles(others))
            choosing.draw(known, max_selections=MOST_OTHERS, placeholder="Other explorations")
    state.remember(**{AGAINST.name: join_names(st.session_state[AGAINST.name])})
    return st.session_state[OOD.name], view


def _load(names: list[str], others: dict[str, Path]) -> tuple[Run, ...]:
    """The chosen explorations that can be read; the others with the reason on the page."""
    found = []
    for name in names:
        try:
            found.append(data.load_run(others[name]))
        except CFSError as error:
            st.error(escape(str(error)))
    return tuple(found)
