"""The form of a new exploration: which pictures, which backbone, how much; Start, with the time it will take."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import streamlit as st

from cfs_explore import jobs
from cfs_explore.images.proposal import pictures_of
from cfs_explore.spec import RunSpec
from cfs_explore.store import Run
from cfs_explore.ui import survey, uploads
from cfs_explore.ui.damage import show_errors
from cfs_explore.ui.job_view import open_job
from cfs_explore.ui.new_backbone import BackboneChoice, choose_backbone
from cfs_explore.ui.new_diagnostics import absent_images, choose_diagnostics, chosen_diagnostics, cost_counts
from cfs_explore.ui.new_estimate import Speed, show_estimate, speed_of
from cfs_explore.ui.new_id import choose_id
from cfs_explore.ui.new_images import SetChoice, choose_ood_sets
from cfs_explore.ui.new_seal import choose_seal, chosen_seal
from cfs_explore.ui.new_settings import Settings, choose_settings
from cfs_explore.ui.proposed import hold, let_go, shown_defaults
from cfs_explore.ui.sidebar import escape
from cfs_explore.ui.source_facts import digest_of
from cfs_explore.ui.survey_view import show_surveys

#: Characters of a name that a spec allows.
_LONGEST_NAME = 64
#: Says in the session that Start was pressed.
_PRESSED = "new_pressed"


@dataclass(frozen=True)
class _Chosen:
    """What the first two decisions say."""

    ood: list[SetChoice]
    backbone: BackboneChoice
    base: Run | None
    train: SetChoice | None

    @property
    def usable(self) -> list[SetChoice]:
        return [choice for choice in self.ood if not choice.facts.error]

    @property
    def sets(self) -> list[SetChoice]:
        return [*self.ood, *([self.train] if self.train else [])]

    @property
    def images(self) -> int:
        """Images that run through the backbone."""
        return sum(choice.count for choice in self.usable) + (self.train.count if self.train else 0)

    @property
    def is_about(self) -> bool:
        """Whether their number is estimated."""
        return any(choice.is_about for choice in self.sets)

    @property
    def looking(self) -> bool:
        """Whether some sets are still being looked at."""
        return any(choice.looking for choice in self.sets)


def show() -> None:
    """The whole page; a press of Start is dealt with once, by what the page showed then."""
    try:
        _show()
    finally:
        let_go()
        st.session_state.pop(_PRESSED, None)


def _show() -> None:
    """Three decisions, More, and the start button.

    Each part has its container: a part that grows does not push copies of the others down while it is computed.
    """
    st.title("New exploration", anchor=False)
    st.markdown("Your images, the same map: where does this backbone see that they are out of distribution?")
    st.header("1  Pictures", anchor=False)
    with st.container():
        ood = survey.look_at(choose_ood_sets())
        pictures = pictures_of([choice.survey for choice in ood if choice.survey is not None])
    st.header("2  Backbone", anchor=False)
    with st.container():
        left, right = st.columns(2)
        below = st.container()
        with left:
            backbone = choose_backbone(pictures, below, looking=any(choice.looking for choice in ood))
        base, train = None, None
        if backbone is not None:
            with right:
                base, train = choose_id(backbone, below)
            train = train and survey.look_at([train])[0]
    show_surveys(ood, base, train, backbone and backbone.input_shape)
    if backbone is None:
        return
    st.header("3  How much", anchor=False)
    _measure(_Chosen(ood, backbone, base, train))
    jobs.prepare()


def _measure(chosen: _Chosen) -> None:
    """The third decision, Start, and everything else under More."""
    how_much, end = st.container(), st.container()
    with st.expander("More", icon=":material/tune:"):
        name = st.text_input("Name of the exploration", value=_suggest_title([s.name for s in chosen.usable]))
        speed = Speed() if not chosen.images or chosen.looking else speed_of(chosen.backbone)
        settings = choose_settings(chosen.backbone, chosen.base, chosen.images, speed.seconds)
    taps = settings.measured_taps(chosen.backbone)
    counts = cost_counts(chosen.usable, chosen.backbone, chosen.base, chosen.train, settings, speed.seconds)
    absent = absent_images(chosen.base)
    with how_much:
        forwards = chosen.images * len(settings.lams) * settings.draws
        choose_diagnostics(forwards, counts, absent, taps, speed.seconds)
        choose_seal(counts, chosen.base, taps, speed.seconds)
    with end:
        missing = _missing(chosen, settings)
        slot = st.container()
        # What the pictures are decides the backbone that is proposed, and what is to mind of them.
        _start_button(disabled=bool(missing) or chosen.looking)
        pressed = st.session_state.get(_PRESSED, False)
        with slot:
            if missing:
                st.warning(missing[0] if len(missing) == 1 else "\n".join(f"- {line}" for line in missing))
            else:
                estimate = show_estimate(
                    chosen.images,
                    len(chosen.ood),
                    chosen.backbone,
                    settings,
                    counts,
                    absent,
                    replace(speed, asked=speed.asked and not pressed),  # what is waited for makes the page again
                    about=chosen.is_about,
                )
        if not pressed or missing:
            return
        if chosen.looking:
            st.warning("Not started: the pictures are still being looked at. Press Start when they are shown.")
            return
        with show_errors():
            open_job(_create(name, chosen, settings, estimate.peak_bytes))


def _start_button(*, disabled: bool) -> None:
    """Start, which takes what the page proposes where the visitor chose nothing.

    A press of a button whose proposals have changed meanwhile is none: its key has changed with them.
    """
    proposals = shown_defaults()
    st.button(
        "Start",
        key=f"new_start_{digest_of([[name, str(value)] for name, (_, value) in sorted(proposals.items())])}",
        type="primary",
        icon=":material/play_arrow:",
        disabled=disabled,
        on_click=_press,
        args=(proposals,),
    )


def _press(proposals: dict[str, tuple]) -> None:
    hold(proposals)
    st.session_state[_PRESSED] = True


def _missing(chosen: _Chosen, settings: Settings) -> list[str]:
    """What is still to be done before the start, a sentence each."""
    train = chosen.train
    missing = [f"{_unusable(choice)} (step 1)." for choice in chosen.ood if _stands_in_the_way(choice)]
    if not chosen.ood:
        missing.append("Add at least one set of pictures (step 1).")
    if chosen.base is None and train is None:
        missing.append("Add in-distribution images (step 2).")
    elif train is not None and _stands_in_the_way(train):
        missing.append(f"{_unusable(train)} (step 2).")
    elif train is not None and train.count < 2:
        missing.append(
            f"{escape(train.name)} has a single image: one part fits the statistics and another is scored, so give "
            "two or more (step 2)."
        )
    if not settings.lams:
        missing.append("Choose at least one noise level (More).")
    if settings.taps == []:
        missing.append("Choose at least one tap (More).")
    if settings.protocol.missing:
        missing.append(settings.protocol.missing)
    return missing


def _stands_in_the_way(choice: SetChoice) -> bool:
    """Whether nothing of a set can be measured, as far as it is known by now."""
    found = choice.survey
    return bool(choice.facts.error) or (found is not None and not len(found) and not found.is_sample)


def _unusable(choice: SetChoice) -> str:
    """What stands in the way of a set, and the remedy."""
    asks = choice.facts.asks
    remedy = f"{asks[0].lower()}{asks[1:]}" if asks else "it cannot be used; take it out or replace it"
    return f"{escape(choice.name)}: {remedy}"


def _suggest_title(names: list[str]) -> str:
    """The sets by name, or the first ones and how many more; at most as long as a name may be."""
    for shown in range(len(names), 0, -1):
        rest = f" and {len(names) - shown} more" if shown < len(names) else ""
        title = " + ".join(names[:shown]) + rest
        if len(title) <= _LONGEST_NAME:
            return title
    return "My exploration"


def _create(name: str, chosen: _Chosen, settings: Settings, needed: int) -> Path:
    """Write the spec into a new run directory, move the uploads there, start the worker.

    Raises:
        RunError: there is no room for ``needed`` more bytes; everything is left where it is.
    """

    def spec_of(sources: dict[str, str | dict]) -> RunSpec:
        return RunSpec.parse(
            {
                "name": name,
                "backbone": chosen.backbone.spec.model_dump(exclude_none=True),
                "id": {"run": str(chosen.base.path)} if chosen.base else {"train": _set(chosen.train, sources)},
                "ood": [_set(choice, sources) for choice in chosen.ood],
                "levels": list(settings.lams),
                "draws": settings.draws,
                "taps": settings.taps,
                "seed": settings.seed,
                "resize": settings.resize,
                **settings.protocol.fields(),
                "diagnostics": chosen_diagnostics(),
                "seal": chosen_seal(chosen.base),
            }
        )

    jobs.check_room(needed)
    for choice in chosen.sets:
        uploads.check_there(choice.source)
    run = jobs.create(spec_of({choice.key: choice.source for choice in chosen.sets}))  # a mistake shows here
    moved = {choice.key: uploads.take_over(choice.source, run) for choice in chosen.sets}
    jobs.create_at(run, spec_of(moved))
    jobs.start(run, workers=settings.workers)
    return run


def _set(choice: SetChoice, sources: dict[str, str | dict]) -> dict:
    group = {"set_group": choice.set_group} if choice.set_group else {}
    return {"name": choice.name, "source": sources[choice.key], "limit": choice.limit} | group
