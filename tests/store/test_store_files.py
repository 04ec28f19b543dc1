"""Files appear whole or not at all."""

import errno
import json

import pandas as pd
import pytest

from cfs_explore.errors import RunError
from cfs_explore.store import write_aside, write_json, write_table


def half_then(partial, error):
    partial.write_text("half")
    raise error


def test_a_reader_never_sees_half_a_file(tmp_path):
    path = tmp_path / "deep" / "facts.json"
    write_json(path, {"a": 1})
    with write_aside(path) as partial:
        partial.write_text('{"a": 2')
        assert json.loads(path.read_text()) == {"a": 1}
        partial.write_text('{"a": 2}')
    assert json.loads(path.read_text()) == {"a": 2}
    assert [p.name for p in path.parent.iterdir()] == ["facts.json"]


def test_an_error_leaves_the_old_file(tmp_path):
    path = tmp_path / "facts.json"
    write_json(path, {"a": 1})
    with pytest.raises(ZeroDivisionError), write_aside(path) as partial:
        half_then(partial, ZeroDivisionError())
    assert json.loads(path.read_text()) == {"a": 1}
    write_json(path, {"a": 3})  # what was left aside is no obstacle
    assert json.loads(path.read_text()) == {"a": 3}


def test_directories_are_replaced_as_a_whole(tmp_path):
    target = tmp_path / "array.zarr"
    for name in ("old", "new"):
        with write_aside(target) as partial:
            partial.mkdir()
            (partial / name).touch()
    assert [p.name for p in target.iterdir()] == ["new"]


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_reported_and_cleaned_up(tmp_path, code):
    path = tmp_path / "table.parquet"
    write_table(path, pd.DataFrame({"a": [1]}))
    refused = pytest.raises(RunError, match=r"The disk is full: .* could not take table\.parquet")
    with refused, write_aside(path) as partial:
        half_then(partial, OSError(code, "no room"))
    assert [p.name for p in tmp_path.iterdir()] == ["table.parquet"]
    assert pd.read_parquet(path)["a"].tolist() == [1]


def test_other_system_errors_are_not_called_a_full_disk(tmp_path):
    with pytest.raises(RunError, match="read-only for this program"), write_aside(tmp_path / "x") as partial:
        raise PermissionError(errno.EACCES, "no", str(partial))
    with pytest.raises(RunError, match="Input/output error"), write_aside(tmp_path / "x") as partial:
        raise OSError(errno.EIO, "Input/output error", str(partial))
    with pytest.raises(RunError, match="not there any more"), write_aside(tmp_path / "a" / "x") as partial:
        partial.write_text(str(partial.parent.rmdir()))


def test_text_is_utf8_everywhere(tmp_path):
    write_json(tmp_path / "x.json", {"name": "Größe 数字"})
    assert "Größe 数字" in (tmp_path / "x.json").read_bytes().decode("utf-8")
