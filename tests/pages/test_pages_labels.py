"""The protocol page of a run that compared labels or prompts: its controls, figures and headline."""

import json
import shutil

import pandas as pd
import pytest
from page_steps import forget_digests, open_page, texts

from cfs_explore.diagnostics.verdicts import verdicts
from cfs_explore.headlines.protocol import labels_headline
from cfs_explore.locations import BUNDLES
from cfs_explore.store import write_table
from cfs_explore.wording import format_estimate

HOSTILE = "prompt: <b>a</b> **b** [l](http://e.org) and a text that is longer than the button"


@pytest.fixture
def compared(only_runs, tmp_path):
    """The only exploration: a bundle whose stage compared these labels or prompts, as it lost 1 too clean."""

    def make(*names, own="null class", scale=1.0):
        run = tmp_path / "runs" / "narrow"
        shutil.copytree(BUNDLES / "digits-narrow", run)
        path = run / "tables" / "conditioning.parquet"
        table = pd.read_parquet(path)
        rows = table[table["variant"] == "lam + 1"].assign(offset=0.0)
        rows[["loss", "loss_lo", "loss_hi"]] *= scale
        rows["auroc"] = rows["auroc"] if scale else table.loc[table["variant"] == "matched", "auroc"].to_numpy()
        parts = [table, *(rows.assign(variant=name) for name in names)]
        write_table(path, pd.concat(parts, ignore_index=True).assign(condition=own))
        forget_digests(run)
        only_runs(tmp_path / "runs")
        return pd.read_parquet(path)

    return make


def test_the_headline_has_the_published_cells_interval(compared):
    table = compared("label 3")
    app = open_page("protocol", run="narrow", ood="letters", protocol_view="conditioning")
    (_, decoder) = json.loads((BUNDLES / "digits-narrow" / "manifest.json").read_text())["presets"]["sparse_ed"]
    rows = table.query("variant == 'label 3' and ood == 'letters' and lam > 4.5 and lam < 5.5")
    row = rows[rows["tap"] == decoder].iloc[0]
    head = app.markdown[0].value
    assert "Conditioned on 1 label in place of the null class" in head
    assert format_estimate(row.loss, row.loss_lo, row.loss_hi) in head and "the network conditioned on a level" in head
    assert "By label or prompt" in texts(app)
    assert app.session_state["protocol_told"] == "label 3"


def test_a_network_that_does_not_listen_is_said_to_change_nothing(compared):
    compared("label 3", "label 0", scale=0.0)
    app = open_page("protocol", run="narrow", ood="letters", protocol_view="conditioning")
    head = app.markdown[0].value
    assert "2 labels in place of the null class, no cell's AUROC" in head and "every loss is exactly 0" in head


def test_prompts_are_text_and_nothing_else(compared):
    compared(HOSTILE, "prompt: a", own="empty prompt")
    app = open_page("protocol", run="narrow", ood="letters", protocol_view="conditioning", protocol_told=HOSTILE)
    assert app.session_state["protocol_told"] == HOSTILE and "2 prompts in place of the empty prompt" in texts(app)
    for kind in ("markdown", "caption"):
        assert not any("<b>a" in each.value or "[l](" in each.value for each in app.get(kind))
    shown = app.segmented_control(key="protocol_told").options
    assert len(set(shown)) == len(shown) and any(text.endswith("…") for text in shown)
    assert not any("<b>" in text for text in shown)


def headline(losses, cells=True):
    rows = pd.DataFrame({"variant": ["label 3", "label 0"], "loss": losses, "region": "decoder", "auroc": 0.7})
    rows = rows.assign(loss_lo=rows["loss"] - 0.02, loss_hi=rows["loss"] + 0.02, about="up1 at λ 5.0")
    rows["title"] = rows["variant"]
    arms = rows["auroc"], rows["auroc"] + rows["loss"]
    found = verdicts(rows["loss"], rows["loss_lo"], rows["loss_hi"], arms=arms)
    return labels_headline("letters", "the null class", rows, rows if cells else None, found)


def test_the_headline_says_both_ends_and_counts():
    text = headline([0.05, -0.01])
    assert "loses **−0.010 [−0.030, 0.010]** (label 0) to **0.050 [0.030, 0.070]** (label 3) AUROC" in text
    assert "1 of 2 losses of single cells lie clear above 0, 0 below (chance alone: 2.5 % each); 1 survive" in text
    assert "published decoder cell" not in headline([0.05, -0.01], cells=False)
