"""What the figures are of: the pages' defaults, and names that people write."""

import pytest

from cfs_explore.errors import RunError
from cfs_explore.figures.choices import choose


def test_defaults_are_the_published_pair_at_the_kept_level(digits):
    choices = choose(digits)
    encoder, decoder = digits.manifest.presets["sparse_ed"]
    names = [tap.name for tap in digits.taps]
    assert choices.ood == digits.ood_names[0]
    assert choices.pair == (names.index(encoder), names.index(decoder))
    assert choices.level == digits.manifest.kept["level"]
    assert choices.cell == choices.cells[-1] == choices.level * len(names) + names.index(decoder)


def test_names_as_the_pages_write_them(digits):
    choices = choose(digits, ood="letters", lam=3.0, tap="up2.res0", pair=("down0.res0", "up_blocks.1.resnets.2"))
    level, tap = divmod(choices.cell, len(digits.taps))
    assert choices.level == level and round(digits.levels[level].lam, 1) == 3.0
    assert digits.taps[tap].name == "up_blocks.2.resnets.0"
    assert choose(digits, lam=9).level == choose(digits, lam=9.2).level == 0  # asked for, and met
    assert [digits.taps[each].name for each in choices.pair] == ["down_blocks.0.resnets.0", "up_blocks.1.resnets.2"]


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"ood": "leters"}, r"no OOD set called leters.*letters"),
        ({"lam": 4.0}, r"no level with log-SNR 4.* 7, 5, 3"),
        ({"tap": "up9.res0"}, r"no tap up9\.res0.*up2\.res0"),
        ({"pair": ("down0.res0", "nothing")}, "no tap nothing"),
        ({"metric": "accuracy"}, r"'metric'.*auroc.*'accuracy'"),
        ({"scale": "log"}, r"'scale'.*ln s.*'log'"),
    ],
)
def test_a_name_that_the_run_does_not_have_is_answered_with_those_it_has(digits, given, says):
    with pytest.raises(RunError, match=says):
        choose(digits, **given)


def test_a_detector_is_a_preset_or_cells(digits):
    decoder = choose(digits).cells[-1]
    assert choose(digits, detector=["CFS-dec(1x1)"]).cells == (decoder,)
    cells = choose(digits, detector=["down0.res0@9.2", "up2.res0@3", "down0.res0@9.2"]).cells
    names = [(digits.taps[cell % len(digits.taps)].name, cell // len(digits.taps)) for cell in cells]
    assert names == [("down_blocks.0.resnets.0", 0), ("up_blocks.2.resnets.0", 3)]
