"""Tables of localisation with numbers that no map has, or a control that no page knows, are refused."""

import numpy as np
import pytest

from cfs_explore.errors import RunError
from cfs_explore.locations import BUNDLES
from cfs_explore.store import open_run
from cfs_explore.store.table_check import check_content


@pytest.mark.parametrize(
    ("name", "columns", "message"),
    [
        ("localisation", {"auroc": -np.inf}, "auroc: allowed is 0 to 1"),
        ("localisation", {"aupro": 1.5}, "aupro: allowed is 0 to 1"),
        ("localisation", {"detection": -np.inf}, "detection: allowed is 0 to 1"),
        ("localisation", {"aupro": np.nan}, "auroc and aupro are missing together"),
        ("localisation_best", {"control": "oracle"}, "control: 'oracle'; allowed are untrained, input tap, pixels"),
        ("localisation_best", {"trained": np.inf}, "trained: allowed is 0 to 1"),
        ("localisation_pixels", {"auroc": 2.0}, "auroc: allowed is 0 to 1"),
    ],
)
def test_numbers_that_no_map_has(name, columns, message):
    run = open_run(BUNDLES / "digits")
    check_content(name, run.table(name), run.manifest)
    with pytest.raises(RunError, match=message):
        check_content(name, run.table(name).assign(**columns), run.manifest)
