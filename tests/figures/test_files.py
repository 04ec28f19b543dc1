"""Figures as files: the command line and Python write the same data, at the asked width, with caption and CSV."""

import re

import pandas as pd
import pytest
from choreographer.browsers.chromium import Chromium

from cfs_explore.charts import has_browser
from cfs_explore.charts.browser import RENDERER
from cfs_explore.cli import main
from cfs_explore.figures import catalogue, folder
from cfs_explore.figures.choices import choose

needs_browser = pytest.mark.skipif(not has_browser(), reason="no Chrome or Chromium on this computer")


@pytest.fixture
def no_browser(monkeypatch):
    RENDERER.close()
    monkeypatch.delenv("BROWSER_PATH", raising=False)
    monkeypatch.setattr(Chromium, "find_browser", classmethod(lambda cls, **kwargs: None))


@needs_browser
def test_command_line_and_python_write_the_same(digits, tmp_path, capsys):
    arguments = ["--what", "map-heatmap,separation-parts", "--ood", "letters", "--lam", "3", "--tap", "up2.res0"]
    main(["figures", "digits", *arguments, "--format", "png,pdf", "--out", str(tmp_path / "cli")])
    printed = capsys.readouterr().out
    choices = choose(digits, ood="letters", lam=3.0, tap="up2.res0")
    figures, _ = catalogue.make_figures(digits, ["map-heatmap", "separation-parts"], choices)
    written = list(folder.write(figures, tmp_path / "python", formats=("png", "pdf")))
    assert len(written) == 8 and printed.count("Saved: ") == 8
    for path in written:
        other = tmp_path / "cli" / path.name
        if path.suffix == ".pdf":  # holds the time at which it was made
            assert other.read_bytes()[:4] == b"%PDF" and b"/FontFile2" in other.read_bytes()
        else:
            assert other.read_bytes() == path.read_bytes()
    rows = pd.read_csv(tmp_path / "cli" / f"{figures['map-heatmap'].stem}.csv")
    frame = digits.auroc_map("letters")
    assert rows["auroc"].tolist() == pytest.approx(frame["auroc"].tolist(), abs=0)
    caption = (tmp_path / "cli" / f"{figures['map-heatmap'].stem}.txt").read_text()
    assert "n = 421 ID, 250 OOD" in caption and "95 % CI" in caption and "letters" in caption


@needs_browser
def test_width_and_grey_reach_the_file(digits, tmp_path):
    figures, _ = catalogue.make_figures(digits, ["separation-parts"])
    (coloured, *_), (grey, *_) = (
        list(folder.write(figures, tmp_path / str(each), width="174mm", grey=each)) for each in (False, True)
    )
    width = float(re.search(r'<svg[^>]* width="([\d.]+)"', grey.read_text())[1])
    assert width == pytest.approx(174 / 25.4 * 96, abs=0.6)
    assert "rgb(86, 180, 233)" in coloured.read_text() and "rgb(86, 180, 233)" not in grey.read_text()


def test_what_the_run_has_no_data_for_is_reported_and_left_out(digits, tmp_path, capsys, no_browser):
    arguments = ["--tap", "conv_in", "--out", str(tmp_path)]
    main(["figures", "digits", "--what", "separation-heads,separation-parts", *arguments])
    printed = capsys.readouterr()
    assert "Left out: separation-heads" in printed.err and "Left out: separation-parts" not in printed.err
    assert {path.suffix for path in tmp_path.iterdir()} == {".html", ".csv", ".txt", ".js"}


def test_without_a_browser_a_page_that_saves_an_svg_is_written(digits, tmp_path, capsys, no_browser):
    main(["figures", "digits", "--what", "separation-parts", "--width", "84mm", "--out", str(tmp_path)])
    assert "apt install chromium" in capsys.readouterr().err
    (page,) = tmp_path.glob("*.html")
    text = page.read_text()
    assert re.search(r'"width":\s*317\.4', text) and '"format": "svg"' in text
    assert (tmp_path / "plotly.min.js").stat().st_size > 1e6 and "https://" not in re.sub(
        r"<script.*?</script>", "", text
    )


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--what", "maps"], "no figure 'maps'. Pages: verdict, map, "),
        (["--ood", "leters"], "no OOD set called leters"),
        (["--what", "separation-parts", "--width", "wide"], "number with mm, cm, in or px"),
        (["--what", "separation-parts", "--format", "eps"], "must be one of"),
        (
            ["--what", "controls-excess", "--set", "control=none"],
            "'controls_against' must be one of untrained, re-encoded. Got",
        ),
        (
            ["--what", "controls-excess", "--set", "curve=none"],
            "no option 'curve'. They have: controls_against, controls_draws.",
        ),
        (["--what", "controls-seeds", "--set", "curve=none"], "no option 'curve'. They have none."),
        (["--what", "controls-excess", "--set", "control"], "--set takes NAME=VALUE. Got 'control'"),
        (
            ["--what", "triage-scores", "--set", "rate=many"],
            "'triage_rate' must be a number from 0.1 to 20. Got 'many'",
        ),
        (["--what", "protocol-told", "--set", "told=lam"], "'protocol_told' must be one of lam - 2, "),
        (["--what", "lab-scores", "--set", "seed=1.9"], "'lab_seed' must be a whole number. Got '1.9'"),
        (["--what", "images-scatter", "--set", "sets=nobody"], "'images_sets' must be one of digits 7-9, "),
        (["--what", "image-map", "--set", "image=nobody"], "has an image with the id or name 'nobody'"),
        (["--what", "probe-decoder-z", "--set", "a=nobody"], "digits 0-6 has no image with the id or name 'nobody'"),
        (["--what", "probe-decoder-z", "--set", "noise=20"], "'probe_draw' must be a number from 0 to 19. Got '20'"),
        (["--what", "images-scatter", "--set", "taps=up9"], "'images_taps' must be one of "),
        (["--what", "compare-difference", "--set", "against=nothing"], "no finished run 'nothing'"),
        (
            ["--what", "map-detectors", "--detector", "CFS"],
            "'CFS' is no cell. Cells are called as in conv_in@9.2: a tap and a log-SNR. A detector is cells, or one",
        ),
        (["--what", "map-detectors", "--detector", "up1.res1@4"], "no level with log-SNR 4"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path, capsys, arguments, says):
    with pytest.raises(SystemExit) as stopped:
        main(["figures", "digits", *arguments, "--out", str(tmp_path / "new")])
    assert stopped.value.code == 2 and says in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.svg")) + list(tmp_path.rglob("*.pdf"))


def test_the_list_has_every_figure_under_its_page(capsys):
    main(["figures", "digits", "--list"])
    lines = capsys.readouterr().out.splitlines()
    names = [line.split()[0] for line in lines if re.match("  [a-z]", line)]
    assert names == list(catalogue.KINDS) and "map" in lines
    assert re.search(r"--set controls_against=untrained \| re-encoded +Trained backbone minus", "\n".join(lines))
    assert all(name.startswith(f"{page}-") for page, kinds in catalogue.PAGES.items() for name in kinds)
