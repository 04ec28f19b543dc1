"""The report: one file, no network, every figure with its words and its whole data, nothing of a name executed."""

import base64
import gzip
import io
import json
import re
import shutil

import pandas as pd
import pytest
import yaml

from cfs_explore import open_run
from cfs_explore.cli import main
from cfs_explore.figures import catalogue
from cfs_explore.figures.choices import choose
from cfs_explore.locations import PROJECT
from cfs_explore.reports import html


@pytest.fixture(scope="module")
def page(digits) -> str:
    return html.html_report(digits, ["map", "separation"], choose(digits, ood="letters"))


def unpacked(text: str, decode=base64.b64decode) -> str:
    return gzip.decompress(decode(text)).decode()


def without_scripts(text: str) -> str:
    return re.sub(r"<script.*?</script>", "", text, flags=re.S)


def test_nothing_is_fetched(page):
    words = without_scripts(page)
    assert re.findall(r'(?:src|href)="(?!#|data:)([^"]+)"', words) == ["https://arxiv.org/abs/2605.11014"]
    assert "default-src 'none'" in words and not re.search(r"<script[^>]+src", page)


def test_each_figure_has_words_and_its_whole_data(digits, page):
    figures, missing = catalogue.make_figures(digits, ["map", "separation"], choose(digits, ood="letters"))
    charts = json.loads(unpacked(re.search('id="charts">(.+?)</script>', page)[1], base64.b85decode))
    assert not missing and page.count("<figure>") == len(figures) and list(charts) == list(figures)
    links = dict(re.findall(r'download="([^"]+)" href="data:application/gzip;base64,([^"]+)"', page))
    for name, figure in figures.items():
        stored, whole = unpacked(links[f"{figure.stem}.csv.gz"]), figure.rows.to_csv(index=False)
        pair = (pd.read_csv(io.StringIO(text)) for text in (stored, whole))
        pd.testing.assert_frame_equal(*pair, check_dtype=False, rtol=1e-8)  # nine digits
        assert len(stored) < len(whole)
        assert charts[name] == json.loads(figure.chart.to_json()) and f'id="chart-{name}"' in page
    words = without_scripts(page)
    assert "n = 421 ID, 250 OOD" in words and words.count("aria-label=") > len(figures)


def test_the_whole_report_begins_with_the_verdict_and_is_small(digits):
    whole = html.html_report(digits, (), choose(digits, ood="letters"))
    assert re.search(r'<section id="([^"]+)"', whole)[1] == "verdict"
    assert len(whole.encode()) < 3e6


def test_spec_versions_and_citation(digits, page):
    words = without_scripts(page)
    assert digits.manifest.versions["torch"] in words and digits.manifest.backbone.fingerprint in words
    assert "levels:" in words and "digits 0-6 (train)" in words
    cited = yaml.safe_load((PROJECT / "CITATION.cff").read_text())["preferred-citation"]
    assert cited["title"] in words and str(cited["year"]) in words and "arXiv:2605.11014" in words
    assert all(author["family-names"] in words for author in cited["authors"])


def test_a_name_is_text_and_never_markup(digits, tmp_path):
    run_path = tmp_path / "hostile"
    shutil.copytree(digits.path, run_path, ignore=shutil.ignore_patterns("backbone", "snapshots.zarr"))
    manifest = run_path / "manifest.json"
    evil = "<script>alert(1)</script>"
    text = manifest.read_text().replace('"Digits"', f'"{evil}"').replace("A small diffusion model", "<img src=x>")
    manifest.write_text(text)
    run = open_run(run_path)
    assert run.name == evil
    page = html.html_report(run, ["separation-parts"])
    assert evil not in page and "<img src=x>" not in page and "&lt;script&gt;alert(1)" in page


def test_what_is_missing_is_named(digits):
    page = html.html_report(digits, ["separation-heads", "separation-parts"], choose(digits, tap="conv_in"))
    words = without_scripts(page)
    assert "no data for" in words and "separation-heads:" in words and page.count("<figure>") == 1


def test_the_command_writes_it(tmp_path, capsys):
    out = tmp_path / "report.html"
    main(["report", "digits", "--what", "map-detectors", "--ood", "letters", "--out", str(out)])
    assert capsys.readouterr().out == f"Saved: {out}\n"
    assert out.read_text().count("<figure>") == 1 and "letters" in out.read_text()
