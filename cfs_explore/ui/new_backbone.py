"""Step 2 of the form: which backbone. The pictures propose one; what the visitor chooses stays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cfs_explore.errors import BackboneError, CFSError
from cfs_explore.images.proposal import Pictures, Shape, conversion, rank_inputs, reason
from cfs_explore.locations import BUNDLES, absolute
from cfs_explore.spec import BackboneSpec
from cfs_explore.store import Manifest
from cfs_explore.ui import background, data
from cfs_explore.ui.backbone_facts import LOADING, facts_by_now, inspecting
from cfs_explore.ui.new_checkpoint import choose_checkpoint
from cfs_explore.ui.proposed import propose, withdraw
from cfs_explore.ui.sidebar import escape
from cfs_explore.wording import format_value

_NAME = "new_backbone"
#: Key in the session: the path that is proposed, and the one before it.
_PROPOSALS = "new_backbone_proposals"


@dataclass(frozen=True)
class BackboneChoice:
    """A backbone that is known: how a spec names it, and the facts that ``cfs-explore inspect`` reports."""

    spec: BackboneSpec
    facts: dict

    @property
    def input_shape(self) -> Shape:
        """(C, H, W) of the pictures that it takes."""
        return tuple(self.facts["image_shape"])

    def speed(self) -> tuple[float, str] | None:
        """Time of one forward per image on this machine, and the device; None while it is being measured.

        Raises:
            BackboneError: it cannot be loaded.
        """
        measured = facts_by_now(self.spec)
        return None if measured is None else (measured["seconds_per_forward"], measured["device"])

    def gpus(self) -> int:
        """Of this machine; 0 while that is not known."""
        return self._inspected().get("gpus", 0)

    def condition(self) -> str:
        """What it is conditioned on besides its level; "" for nothing, and while that is not known."""
        return self._inspected().get("condition", "")

    def _inspected(self) -> dict:
        try:
            return facts_by_now(self.spec) or {}
        except BackboneError:
            return {}


def choose_backbone(
    pictures: Pictures | None, below: DeltaGenerator, *, looking: bool = False
) -> BackboneChoice | None:
    """The chosen backbone; None while there is none, with the reason on the page.

    Args:
        pictures: that will be measured; None while there are none.
        below: where the page says why, and asks for more.
        looking: whether some pictures are still being looked at, and the proposal may change with them.
    """
    known = _known()
    inputs = {path: tuple(manifest.backbone.image_shape) for path, manifest in known.items()}
    opened = _opened(known)
    proposed = next(iter(rank_inputs(inputs, pictures, opened)), "")
    last = st.session_state.get(_PROPOSALS, ("", ""))[0]
    if looking and last in known:  # it changes when all is seen, not on the way
        proposed = last
    options = [*known, ""]
    start = propose(_NAME, proposed, options)
    path = st.selectbox(
        "Backbone",
        options,
        options.index(start.value),
        format_func=lambda path: _label(known[path], path) if path else "A checkpoint on this server, or a hub id",
        key=start.key,
        on_change=start.note,
        help="The frozen diffusion network whose layers are read.",
    )
    with below:
        choice = _of_run(known[path], path) if path else _custom_backbone()
        if choice is not None:
            why = "" if start.is_choice or looking else reason(inputs, proposed, pictures, opened)
            _say_what_happens(choice.input_shape, pictures, why)
            if not start.is_choice:
                _say_changes(path, {each: _label(manifest, each) for each, manifest in known.items()}, looking)
            if proposed and path != proposed:
                _offer(_label(known[proposed], proposed))
            _describe(choice.facts)
    return choice


def _say_what_happens(shape: Shape, pictures: Pictures | None, why: str) -> None:
    """Why this backbone stands here, '' where the visitor chose it, and what the pictures go through."""
    changes = "" if pictures is None else conversion(pictures, shape, st.session_state.get("new_resize", "crop"))
    if why:
        st.markdown(f"**Proposed**, since {why}{': ' * bool(changes)}{changes}.")
    elif changes:
        st.markdown(f"Your pictures: {changes}.")


def _say_changes(path: str, labels: Mapping[str, str], looking: bool) -> None:
    """That the proposal may change, or has: never without a word."""
    last, before = st.session_state.get(_PROPOSALS, (path, ""))
    if path != last:
        before = last
    st.session_state[_PROPOSALS] = path, before
    if looking:
        st.caption("Proposed so far; your pictures are still being looked at, and it follows them.")
    elif before and before != path:
        st.info(
            f"The proposal has changed: before, it was {escape(labels.get(before, before))}.", icon=":material/sync:"
        )


def _offer(label: str) -> None:
    """Back to the proposal, where the visitor has chosen another backbone."""
    st.button(
        f"Take the proposed one: {escape(label)}",
        key=f"{_NAME}_proposed",
        type="tertiary",
        icon=":material/undo:",
        on_click=withdraw,
        args=(_NAME,),
    )


def _of_run(manifest: Manifest, path: str) -> BackboneChoice:
    facts = {**manifest.backbone.model_dump(), "taps": manifest.taps}
    named = manifest.spec["backbone"]
    kept = named.get("milestones")
    places = {"path": path, "milestones": kept if kept and Path(kept).is_absolute() else None}
    return BackboneChoice(BackboneSpec(**named | places), facts)


def _custom_backbone() -> BackboneChoice | None:
    """A checkpoint that the visitor names; None, with the reason on the page, until it is loaded."""
    spec = choose_checkpoint()
    if spec is None:
        return None
    try:
        facts = facts_by_now(spec)
    except CFSError as error:
        st.error(escape(str(error)))
        return None
    if facts is None:
        background.watch(inspecting(spec), LOADING)
        return None
    return BackboneChoice(spec, facts)


def _describe(facts: dict) -> None:
    low, high = facts["reach"]
    st.caption(
        f"{format_value(facts['parameters'] / 1e6, 2)} M parameters · input {_input(facts['image_shape'])} · "
        f"{len(facts['taps'])} taps · log-SNR {format_value(low, 1)} to {format_value(high, 1)}"
    )
    for note in facts["notes"]:
        st.caption(escape(note))


def _known() -> dict[str, Manifest]:
    """Backbones of the explorations on this server that measured all taps and are still there, by path."""
    found: dict[str, Manifest] = {}
    for run in data.readable():
        manifest = run.manifest
        place = absolute(manifest.backbone.path, run.path)
        if manifest.spec["taps"] == "all" and Path(place).exists():
            found.setdefault(place, manifest)
    return found


def _opened(known: dict[str, Manifest]) -> str | None:
    """The backbone of the exploration that is open in the sidebar, if it can be chosen."""
    path = data.explorations().get(st.session_state.get("run", ""))
    if path is None:
        return None
    try:
        manifest = data.load_run(path).manifest
    except CFSError:
        return None
    same = [each for each, other in known.items() if other.backbone.fingerprint == manifest.backbone.fingerprint]
    place = absolute(manifest.backbone.path, path)
    return place if place in known else next(iter(same), None)


def _label(manifest: Manifest, path: str) -> str:
    """'cifar10-uvit, 32x32 colour'; one that does not come with the project by its place."""
    bundled = Path(path).is_relative_to(BUNDLES)
    name = Path(path).relative_to(BUNDLES).parts[0] if bundled else f"{manifest.backbone.name} ({path})"
    return f"{name}, {_input(manifest.backbone.image_shape)}"


def _input(shape: Shape) -> str:
    channels, height, width = shape
    return f"{width}×{height} {({1: 'grey', 3: 'colour'}).get(channels, f'{channels} channels')}"
