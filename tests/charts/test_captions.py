import numpy as np
import pytest

from cfs_explore.charts import (
    FigureDataError,
    alt_text,
    detectors_caption,
    histogram_caption,
    map_caption,
    roc_caption,
    small_multiples_caption,
)


def test_map_caption_names_n_interval_method_and_settings(frame):
    text = map_caption(frame, ood="Letters", settings={"head": "diagonal", "seed": 0})
    for part in (
        "29 taps × 8 noise levels",
        "Letters",
        "n = 500 ID, 400 OOD",
        "5 noise draws",
        "95 % CI",
    ):
        assert part in text
    assert text.endswith("head diagonal; seed 0.")
    assert "\n" not in text


def test_only_metrics_with_limits_claim_an_interval(frame):
    assert "95 % CI" in map_caption(frame, metric="fpr95")
    assert " CI" not in map_caption(frame, metric="aupr_id")


def test_other_captions_carry_their_n(frame):
    for text in (caption("n = 500 ID, 400 OOD") for caption in (roc_caption, histogram_caption, detectors_caption)):
        assert "n = 500 ID, 400 OOD" in text
    assert "2 OOD sets" in small_multiples_caption({"a": frame, "b": frame})


def test_alt_text_tells_range_best_cell_and_trend(frame):
    text = alt_text(frame)
    best = frame.loc[frame["auroc"].idxmax()]
    assert f"from {frame['auroc'].min():.3f} to {frame['auroc'].max():.3f}" in text
    assert f"({best['region']}) at log-SNR" in text
    assert "in the decoder" in text
    assert "noisier half" in text


def test_best_fpr_is_the_lowest(frame):
    assert f"with {frame['fpr95'].min():.3f}" in alt_text(frame, "fpr95")


def test_alt_text_of_nothing_is_an_error(frame):
    with pytest.raises(FigureDataError, match="no measured"):
        alt_text(frame.assign(auroc=np.nan))
