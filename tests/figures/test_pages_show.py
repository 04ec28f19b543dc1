"""Every page shows the catalogue's figures: its first choices, and those of an address, in each of its views."""

from dataclasses import replace

import pytest
from page_steps import open_page
from same_as_page import assert_page_shows

from cfs_explore.figures.catalogue import KINDS
from cfs_explore.figures.choices import choose
from cfs_explore.figures.map import opening
from cfs_explore.locations import BUNDLES
from cfs_explore.store import Run

#: Page -> the query of each of its views, and its figures: kind -> the chart's key.
_MAP = {
    "map-heatmap": "map",
    "map-sets": "strip",
    "map-detectors": "detectors",
    "map-histogram": "cell_histogram",
    "map-roc": "cell_roc",
}
_CONTROLS = {"controls-excess": "excess", "controls-comparison": "controls_dots"}
VIEWS = [
    ("complementarity", {"comp_view": "images"}, {"complementarity-scores": "comp_scatter"}),
    ("complementarity", {"comp_view": "levels"}, {"complementarity-levels": "comp_levels"}),
    ("complementarity", {"comp_view": "pairs"}, {"complementarity-pairs": "comp_pairs"}),
    ("complementarity", {"comp_view": "sets"}, {"complementarity-sets": "comp_sets"}),
    (
        "separation",
        {"separation_view": "cells"},
        {
            "separation-predicted": "separation_scatter",
            "separation-parts": "separation_parts",
            "separation-share": "separation_map",
            "separation-taps": "separation_taps",
        },
    ),
    (
        "separation",
        {"separation_view": "channels"},
        {
            "separation-channels": "separation_channels",
            "separation-sparsity": "separation_sparsity_curve",
            "separation-top-channels": "separation_top",
        },
    ),
    (
        "where",
        {},
        {"where-map": "where_map", "where-comparison": "where_dots", "where-detection": "where_scatter"},
    ),
    ("separation", {"separation_view": "heads"}, {"separation-heads": "separation_heads"}),
    (
        "stability",
        {},
        {
            "stability-survival": "stability_lines",
            "stability-auroc": "stability_auroc",
            "stability-law": "stability_law",
            "stability-drift": "stability_drift",
            "stability-radius": "stability_radius",
            "stability-sharing": "stability_shared",
            "stability-reuse": "stability_reused",
        },
    ),
    (
        "prediction",
        {"prediction_view": "sets"},
        {
            "prediction-seal": "prediction_seal",
            "prediction-ranking": "prediction_scatter",
            "prediction-losses": "prediction_losses",
            "prediction-losses-all": "prediction_regret",
        },
    ),
    ("prediction", {"prediction_view": "proxies"}, {"prediction-proxies": "prediction_proxies"}),
    ("prediction", {"prediction_view": "ablation"}, {"prediction-ablation": "prediction_ablation"}),
    ("controls", {"controls_view": "statistics"}, _CONTROLS | {"controls-statistics": "controls_statistics"}),
    ("controls", {"controls_view": "reencoding"}, _CONTROLS | {"controls-reencoding": "controls_reencoding"}),
    ("controls", {"controls_view": "seeds"}, _CONTROLS | {"controls-seeds": "controls_seeds"}),
    (
        "protocol",
        {"protocol_view": "levels", "protocol_against": ""},
        {"protocol-curves": "protocol_curves", "protocol-pictures": "protocol_pictures"},
    ),
    (
        "protocol",
        {"protocol_view": "alignment", "protocol_against": ""},
        {"protocol-sensitivity": "protocol_sensitivity", "protocol-alignments": "strip_protocol"},
    ),
    (
        "protocol",
        {"protocol_view": "conditioning", "protocol_against": ""},
        {"protocol-told": "protocol_loss", "protocol-conditioning": "protocol_offsets"},
    ),
    ("protocol", {"protocol_view": "cost", "protocol_against": ""}, {"protocol-cost": "protocol_front"}),
    (
        "protocol",
        {"protocol_view": "groups", "protocol_against": ""},
        {
            "protocol-groups": "protocol_groups",
            "protocol-group-maps": "protocol_group_maps",
            "protocol-group-rivals": "protocol_group_rivals",
        },
    ),
    (
        "image",
        {},
        {"image-map": "map_of_image", "image-detectors": "image_scores", "image-features": "image_features"},
    ),
    ("verdict", {}, {"verdict-claim": "verdict_claim_dots"}),
    ("falsifier", {}, {"falsifier-front": "falsifier_front", "falsifier-leads": "falsifier_leads"}),
    ("triage", {}, {"triage-scores": "triage_histogram"}),
    ("lab", {"lab": "tap"}, {"lab-scores": "lab_scores", "lab-auroc": "lab_dots", "lab-curve": "lab_curve"}),
    (
        "lab",
        {"lab": "pair"},
        {"lab-two-scores": "lab_clouds", "lab-combinations": "lab_pair_dots", "lab-two-curve": "lab_pair_curve"},
    ),
]
#: Compared where they are made: of two explorations (below), of a seal that judges (test_sealed_figures), of severities
#: (test_map_severity), of labels (test_protocol_labels), of fitted coordinates, of a chosen claim (test_options), of a
#: forward, and of kept weights (test_pages_training).
ELSEWHERE = {
    "map-severity",
    "protocol-labels",
    "compare-map",
    "compare-difference",
    "compare-transfer",
    "images-scatter",
    "verdict-claims",
    "prediction-sealed",
} | {k for k in KINDS if k.startswith(("probe-", "image-where", "training-"))}


def shows(page, query, shown, run, choices):
    app = open_page(page, run="digits", **query)
    for kind, key in shown.items():
        assert_page_shows(app, key, KINDS[kind].make(run, choices, "light"))


@pytest.mark.parametrize(("page", "query", "shown"), VIEWS)
def test_a_page_opens_with_the_catalogues_figures(page, query, shown, digits, choices):
    shows(page, query, shown, digits, choices)


def test_the_map_opens_with_the_set_that_says_most(digits):
    shows("map", {}, _MAP, digits, opening(digits))


def test_every_figure_is_looked_for():
    assert {kind for _, _, shown in VIEWS for kind in shown} | set(_MAP) | ELSEWHERE == set(KINDS)


def test_the_map_of_an_address(digits):
    of = {"ood": "noisy", "metric": "fpr95"}
    choices = replace(choose(digits, **of), cell=30, cells=(30, 31, 99))
    shows("map", {"cell": "30", "cells": "30.31.99", **of}, _MAP, digits, choices)


def test_the_pair_of_an_address(digits):
    choices = choose(digits, ood="noisy", lam=1.0, pair=("conv_in", "mid.res0"), scale="s")
    names = [digits.taps[position].name for position in choices.pair]
    view = {"comp_level": str(choices.level), "comp_first": names[0], "comp_second": names[1], "comp_scale": "s"}
    shown = {"complementarity-scores": "comp_scatter", "complementarity-levels": "comp_levels"}
    shows("complementarity", {"ood": "noisy", "comp_view": "levels", **view}, shown, digits, choices)


@pytest.mark.parametrize(
    ("view", "kind", "key"),
    [
        ("compare", "compare-map", "map_of_digits"),
        ("compare", "compare-difference", "difference_digits-narrow"),
        ("levels", "protocol-curves", "protocol_curves"),
        ("cost", "protocol-cost", "protocol_front"),
        ("groups", "protocol-groups", "protocol_groups"),
    ],
)
def test_explorations_beside_each_other(view, kind, key, digits):
    of = {"ood": "letters", "protocol_view": view, "protocol_against": "digits-narrow"}
    choices = replace(choose(digits, ood="letters"), beside=(Run(BUNDLES / "digits-narrow"),))
    shows("protocol", of, {kind: key}, digits, choices)
