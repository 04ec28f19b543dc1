"""The form of a new exploration: backbone, ID set, OOD sets, what to measure, what it will cost."""

from __future__ import annotations

from pathlib import Path

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from cfs_explore import jobs
from cfs_explore.errors import CFSError
from cfs_explore.estimate import estimate_run, format_bytes, format_seconds
from cfs_explore.spec import RunSpec
from cfs_explore.stages import STAGES, Counts
from cfs_explore.store import Run
from cfs_explore.ui import data, uploads
from cfs_explore.ui.backbone_facts import LOADING
from cfs_explore.ui.job_view import open_job
from cfs_explore.ui.look_view import show_looks
from cfs_explore.ui.new_backbone import BackboneChoice, choose_backbone
from cfs_explore.ui.new_diagnostics import choose_diagnostics, chosen_diagnostics, cost_counts
from cfs_explore.ui.new_images import SetChoice, choose_id_images, choose_ood_sets
from cfs_explore.ui.new_settings import Settings, choose_settings
from cfs_explore.ui.sidebar import escape

#: Characters of a name that a spec allows.
_LONGEST_NAME = 64


def show() -> None:
    """The whole page: four steps, then the estimate and the start button.

    Each part has its container: a part that grows does not push copies of the others down while it is computed.
    """
    st.title("New exploration", anchor=False)
    st.markdown("Your images, the same map: where does this backbone see that they are out of distribution?")
    st.header("1  Out-of-distribution images", anchor=False)
    with st.container():
        ood = choose_ood_sets()
    st.header("2  Backbone", anchor=False)
    with st.container():
        backbone = choose_backbone()
    if backbone is None:
        show_looks(ood, None, None)
        return
    st.header("3  In-distribution images", anchor=False)
    with st.container():
        base, train = _choose_id(backbone)
    show_looks(ood, base, train)
    st.header("4  What to measure", anchor=False)
    with st.container():
        settings, more = choose_settings(backbone, base)
    with st.container():
        _start(ood, backbone, base, train, settings, more)


def _choose_id(backbone: BackboneChoice) -> tuple[Run | None, SetChoice | None]:
    """Stored statistics of a run on the same backbone, or new images."""
    fitting = {}
    for path in data.explorations().values():
        try:
            run = data.load_run(path)
        except CFSError:
            continue
        if run.manifest.backbone.fingerprint == backbone.facts["fingerprint"] and run.manifest.spec["id"]["train"]:
            fitting[path.name] = run
    options = [*fitting, ""]
    chosen = st.radio(
        "ID set",
        options,
        format_func=lambda name: (
            f"{fitting[name].id_test.name}: stored statistics of {fitting[name].name}" if name else "My own images"
        ),
        captions=[*("For the map, only your OOD images run through the backbone." for _ in fitting), None],
        key="new_id",
        label_visibility="collapsed",
    )
    if chosen:
        return fitting[chosen], None
    return None, choose_id_images()


def _start(
    ood: list[SetChoice],
    backbone: BackboneChoice,
    base: Run | None,
    train: SetChoice | None,
    settings: Settings,
    more: DeltaGenerator,
) -> None:
    """Say what the run will cost and what is still missing, and start it."""
    missing = [f"{escape(s.name)} cannot be used: take it out or replace it (step 1)." for s in ood if s.facts.error]
    if train is not None and train.facts.error:
        missing.append(f"{escape(train.name)} cannot be used: replace it (step 3).")
    if not ood:
        missing.append("Add at least one set of OOD images (step 1).")
    if base is None and train is None:
        missing.append("Add in-distribution images (step 3).")
    if not settings.lams:
        missing.append("Choose at least one noise level (step 4).")
    if settings.taps == []:
        missing.append("Choose at least one tap (step 4).")
    if settings.protocol.missing:
        missing.append(settings.protocol.missing)
    usable = [s for s in ood if not s.facts.error]
    counts = cost_counts(usable, backbone, base, train, settings)
    name = st.text_input("Name of the exploration", value=_suggest_title([s.name for s in usable]))
    slot = st.empty()
    if missing:
        slot.warning(missing[0] if len(missing) == 1 else "\n".join(f"- {line}" for line in missing))
        with more:
            choose_diagnostics(counts, settings.measured_taps(backbone), None)
    else:
        slot.info(f"{LOADING}.", icon="spinner")  # until the estimate takes its place
        images = sum(s.count for s in ood) + (train.count if train else 0)
        with slot:
            seconds_per_forward = _show_estimate(images, len(ood), backbone, settings, counts)
        with more:
            choose_diagnostics(counts, settings.measured_taps(backbone), seconds_per_forward)
    if st.button("Start", type="primary", icon=":material/play_arrow:", disabled=bool(missing)):
        try:
            run = _create(name, ood, backbone, base, train, settings)
        except CFSError as error:
            st.error(escape(str(error)))
            return
        open_job(run)


def _suggest_title(names: list[str]) -> str:
    """The sets by name, or the first ones and how many more; at most as long as a name may be."""
    for shown in range(len(names), 0, -1):
        rest = f" and {len(names) - shown} more" if shown < len(names) else ""
        title = " + ".join(names[:shown]) + rest
        if len(title) <= _LONGEST_NAME:
            return title
    return "My exploration"


def _show_estimate(
    images: int, ood_sets: int, backbone: BackboneChoice, settings: Settings, counts: Counts | None
) -> float | None:
    """Say time, disk and forwards of map and diagnostics; returns the time of one forward, None where it failed."""
    diagnostic = sum(STAGES[name].forwards(counts) for name in chosen_diagnostics()) if counts else 0
    try:
        seconds_per_forward, device = backbone.seconds_per_forward()
    except CFSError as error:
        st.error(escape(str(error)))
        return None
    estimate = estimate_run(
        new_images=images,
        levels=len(settings.lams),
        draws=settings.draws,
        taps=settings.measured_taps(backbone),
        image_shape=backbone.facts["image_shape"],
        sets=ood_sets + 2,
        seconds_per_forward=seconds_per_forward,
        diagnostic_forwards=diagnostic,
    )
    more = f", and {diagnostic:,} for the diagnostics" if diagnostic else ""
    st.info(
        f"About **{format_seconds(estimate.seconds)}** on {device}, "
        f"**{format_bytes(estimate.disk_bytes)}** of disk ({format_bytes(estimate.peak_bytes)} while it runs): "
        f"{images:,} images × {len(settings.lams)} levels × {settings.draws} draws = {estimate.forwards:,} forwards"
        f"{more}.",
        icon=":material/timer:",
    )
    try:
        jobs.check_room(estimate.peak_bytes)
    except CFSError as error:
        st.error(escape(str(error)), icon=":material/error:")
    return seconds_per_forward


def _create(
    name: str,
    ood: list[SetChoice],
    backbone: BackboneChoice,
    base: Run | None,
    train: SetChoice | None,
    settings: Settings,
) -> Path:
    """Write the spec into a new run directory, move the uploads there, start the worker."""
    diagnostics = chosen_diagnostics()

    def spec_of(sources: dict[str, str | dict]) -> RunSpec:
        return RunSpec.parse(
            {
                "name": name,
                "backbone": backbone.spec.model_dump(exclude_none=True),
                "id": {"run": str(base.path)} if base else {"train": _set(train, sources)},
                "ood": [_set(choice, sources) for choice in ood],
                "levels": list(settings.lams),
                "draws": settings.draws,
                "taps": settings.taps,
                "seed": settings.seed,
                "resize": settings.resize,
                **settings.protocol.fields(),
                "diagnostics": "all" if diagnostics == list(STAGES) else diagnostics,
            }
        )

    jobs.check_room()
    choices = [*ood, *([train] if train else [])]
    run = jobs.create(spec_of({choice.key: choice.source for choice in choices}))  # a mistake shows here
    moved = {choice.key: uploads.take_over(choice.source, run) for choice in choices}
    jobs.create_at(run, spec_of(moved))
    jobs.start(run)
    return run


def _set(choice: SetChoice, sources: dict[str, str | dict]) -> dict:
    return {"name": choice.name, "source": sources[choice.key], "limit": choice.limit}
