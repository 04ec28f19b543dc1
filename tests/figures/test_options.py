"""What single pages' controls set can be given by name, and gives the figure that the page then shows."""

import json

import pytest
from page_steps import open_page
from same_as_page import assert_page_shows

from cfs_explore.figures import catalogue
from cfs_explore.figures.choices import choose

pytestmark = pytest.mark.slow

_IMAGE = {"role": "ood", "set": "letters"}


def case(figure: str, page: str, chart: str, address: dict, options: dict | None = None, **choices):
    """A figure; what is given; the page, what its address says that is the same, and the chart's key."""
    return figure, choices | ({"options": options} if options else {}), (page, address, chart)


CASES = {
    "control": case(
        "controls-excess", "controls", "excess", {"controls_against": "re-encoded"}, {"control": "re-encoded"}
    ),
    "draws of the map": case("controls-excess", "controls", "excess", {"controls_draws": "map"}, {"draws": "map"}),
    "draws of the comparison": case(
        "controls-comparison", "controls", "controls_dots", {"controls_draws": "map"}, {"draws": "map"}
    ),
    "measure": case(
        "stability-survival", "stability", "stability_lines", {"stability_measure": "spearman"}, {"measure": "spearman"}
    ),
    "part": case("stability-drift", "stability", "stability_drift", {"stability_part": "own"}, {"part": "own"}),
    "where": case(
        "where-map",
        "where",
        "where_map",
        {"where_map_of": "deviation", "where_measure": "aupro"},
        {"where_map_of": "deviation", "where_measure": "aupro"},
    ),
    "sharing": case(
        "stability-sharing",
        "stability",
        "stability_shared",
        {"stability_sharing": "cka", "stability_pairs": "3"},
        {"stability_sharing": "cka", "stability_pairs": "3"},
    ),
    "conditioning": case(
        "protocol-told",
        "protocol",
        "protocol_loss",
        {"protocol_view": "conditioning", "protocol_told": "lam - 1"},
        {"told": "lam - 1"},
    ),
    "curve": case(
        "protocol-curves",
        "protocol",
        "protocol_curves",
        {"protocol_view": "levels", "protocol_curve": "perceptual", "protocol_against": "digits-narrow"},
        {"curve": "perceptual", "against": "digits-narrow"},
    ),
    "cost": case(
        "protocol-cost",
        "protocol",
        "protocol_front",
        {"protocol_view": "cost", "protocol_cost": "ms", "protocol_against": "digits-narrow"},
        {"cost": "ms", "against": "digits-narrow"},
    ),
    "difference": case(
        "compare-difference",
        "protocol",
        "difference_digits-narrow",
        {"protocol_view": "compare", "protocol_against": "digits-narrow"},
        {"against": "digits-narrow"},
    ),
    "transfer": case(
        "compare-transfer",
        "protocol",
        "transfer_matrix",
        {"protocol_view": "transfer", "protocol_against": "digits-narrow", "transfer_number": "spearman"},
        {"against": "digits-narrow", "transfer_number": "spearman"},
    ),
    "shared map": case(
        "compare-map", "protocol", "map_of_digits", {"protocol_view": "compare", "protocol_against": "digits-narrow"}
    ),
    "budget": case(
        "falsifier-front", "falsifier", "falsifier_front", {"falsifier_budget": "2"}, {"falsifier_budget": "2"}
    ),
    "other detector": case("triage-scores", "triage", "triage_histogram", {"detector": "msma"}, detector=["msma"]),
    "rate": case("triage-scores", "triage", "triage_histogram", {"triage_rate": "10"}, {"rate": "10"}),
    "keeps": case("triage-scores", "triage", "triage_histogram", {"triage_by": "discovery"}, {"keeps": "discovery"}),
    "preset": case(
        "triage-scores", "triage", "triage_histogram", {"detector": "CFS-dec(1x1)"}, detector=["CFS-dec(1x1)"]
    ),
    "claim": case("verdict-claims", "verdict", "verdict", {"verdict_claim": "pair"}, {"verdict_claim": "pair"}),
    "cells": case("map-detectors", "map", "detectors", {"cells": "1.112"}, detector=["down0.res0@9", "up2.res0@3"]),
    "beside the composed": case(
        "map-detectors",
        "map",
        "detectors",
        {"cells": "1.112", "map_detectors": "Diffusion NLL,EigenScore"},
        {"map_detectors": "Diffusion NLL,EigenScore"},
        detector=["down0.res0@9", "up2.res0@3"],
    ),
    "cells on the map": case(
        "map-heatmap",
        "map",
        "map",
        {"cells": "1.112", "cell": "112"},
        detector=["down0.res0@9", "up2.res0@3"],
        cell="up2.res0@3",
    ),
    "value": case("image-map", "image", "map_of_image", {**_IMAGE, "image_value": "ratio"}, {"value": "ratio"}),
    "colour": case("images-scatter", "images", "images_scatter", {"images_colour": "contrast"}, {"colour": "contrast"}),
    "lab": case(
        "lab-curve",
        "lab",
        "lab_curve",
        {"lab_d": "16", "lab_rho": "0.3", "lab_pattern": "neighbours", "lab_along": "share", "lab_seed": "3"},
        {"d": "16", "rho": "0.3", "pattern": "neighbours", "along": "share", "seed": "3"},
    ),
    "lab of two": case(
        "lab-combinations",
        "lab",
        "lab_pair_dots",
        {"lab": "pair", "lab_shift_e": "2", "lab_spread": "1.5"},
        {"shift_e": "2", "spread": "1.5"},
    ),
    "score": case(
        "images-scatter",
        "images",
        "images_scatter",
        {"images_colour": "score", "images_sets": "1.2", "images_taps": "22"},
        {"colour": "score", "sets": "letters, flipped", "taps": "up1.res2"},
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_an_option_gives_what_the_page_shows(case, digits):
    figure, given, (page, query, key) = CASES[case]
    figures, missing = catalogue.make_figures(digits, [figure], choose(digits, ood="letters", **given))
    assert not missing
    default, _ = catalogue.make_figures(digits, [figure], choose(digits, ood="letters"))
    if given and default:
        assert figures[figure].chart.to_json() != default[figure].chart.to_json()
    app = open_page(page, run="digits", ood="letters", **query)
    assert_page_shows(app, key, figures[figure])


def test_an_image_is_found_by_id_and_by_name_in_either_set(digits):
    for role, name in (("ood", "letters"), ("id_test", None)):
        image = digits.images(role, name).iloc[7]
        address = {"role": role, "set": name or digits.id_test.name, "image": image["image_id"]}
        app = open_page("image", run="digits", ood="letters", **address)
        for given in ({"image": image["image_id"]}, {"image": image["name"]}, {"image": image["name"], "role": role}):
            figures, _ = catalogue.make_figures(digits, ["image-map"], choose(digits, ood="letters", options=given))
            assert_page_shows(app, "map_of_image", figures["image-map"])


def test_the_order_of_channels(digits):
    app = open_page("separation", run="digits", ood="letters", separation_view="channels")
    app.session_state["separation_order"] = "contribution"
    given = choose(digits, ood="letters", options={"order": "contribution"})
    figures, _ = catalogue.make_figures(digits, ["separation-channels"], given)
    assert_page_shows(app.run(), "separation_channels", figures["separation-channels"])


@pytest.mark.parametrize(
    ("figure", "chart"),
    [
        ("probe-encoder-score", "encoder_score"),
        ("probe-decoder-z", "decoder_z"),
        ("probe-decoder-where", "decoder_where"),
    ],
)
def test_the_probe_looks_at_what_its_page_does(figure, chart, digits):
    names = [digits.images(*which)["name"].iloc[row] for which, row in ((("id_test",), 11), (("ood", "letters"), 99))]
    given = choose(digits, ood="letters", lam=1, options={"a": names[0], "b": names[1], "noise": "7"})
    figures, missing = catalogue.make_figures(digits, [figure], given)
    assert not missing
    app = open_page("probe", run="digits", ood="letters", probe_a="11", probe_b="99", probe_lam="1", probe_draw="7")
    app.session_state["probe_charts"] = True
    shown = {each.proto.id.rsplit("-", 1)[-1]: each.proto for each in app.run().get("plotly_chart")}[f"probe_{chart}"]
    figure = figures[figure]
    assert shown.alt == figure.alt and json.loads(shown.config)["toImageButtonOptions"]["filename"] == figure.stem
    assert json.loads(shown.spec)["data"] == figure.sent["data"]


def test_the_probe_opens_with_the_typical_images_of_both_sets(digits):
    default, _ = catalogue.make_figures(digits, ["probe-decoder-score"], choose(digits, ood="letters"))
    app = open_page("probe", run="digits", ood="letters")
    chosen = {key: int(app.session_state[f"probe_{key}"]) for key in "ab"}
    names = {"a": digits.images("id_test")["image_id"], "b": digits.images("ood", "letters")["image_id"]}
    options = {key: names[key].iloc[chosen[key]] for key in "ab"}
    same, _ = catalogue.make_figures(digits, ["probe-decoder-score"], choose(digits, ood="letters", options=options))
    assert default["probe-decoder-score"].alt == same["probe-decoder-score"].alt


def test_every_option_is_tried():
    given = {key for _, choices, _ in CASES.values() for key in choices.get("options", {})}
    given |= {"image", "role", "order", "a", "b", "noise", "image_detectors"}
    given |= {"where_by", "where_part", "where_strength", "where_at"}  # tests of the map over one image
    given |= {"training_step"}  # of a run with kept weights: test_training_figures, test_pages_training
    kinds = [kind for page, kinds in catalogue.PAGES.items() if page != "lab" for kind in kinds.values()]
    known = {option.name for kind in kinds for option in kind.options if not given & {option.name, *option.former}}
    # UMAP takes half a minute: tests of embedding
    assert known == {"images_method", "images_neighbors", "images_min_dist"}


def test_what_needs_another_exploration_says_how_to_name_one_and_is_no_part_of_all(digits):
    _, missing = catalogue.make_figures(digits, ["compare-difference"])
    assert "`--set protocol_against=NAME` names one" in missing["compare-difference"]
    assert not {"compare-map", "compare-difference"} & set(catalogue.named())
