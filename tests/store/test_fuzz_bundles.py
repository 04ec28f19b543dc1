"""Whatever becomes of a zip on its way: an import gives a readable run, or a CFSError and nothing is left behind."""

import io
import json
import shutil
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from watch import watched

from cfs_explore.errors import CFSError
from cfs_explore.explorations import bundles
from cfs_explore.store import open_run

pytestmark = pytest.mark.slow

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([-1, 0, 1, 2, 3, 2**31, 2**63, 10**30, 1e308, -0.5, float("nan"), float("inf")]),
    st.sampled_from(["", "x", "../x", "/etc/passwd", "<b>x</b>", "\x00\x07\n", "\ud800", "é", "x" * 5_000]),
    st.sampled_from([[], {}, [1], [[1, 2]], {"a": 1}, {"builtin": "letters"}, [None]]),
    st.integers(1, 400).map(lambda depth: _nested(depth)),
)
NAMES = st.one_of(
    st.sampled_from(
        [
            "../escape", "/abs", "C:/x", "C:\\x", "tables/../../x", "tables/x.parquet", "MANIFEST.JSON",
            "manifest.json", "backbone/model.pt", "backbone/a/../../../x.json", "backbone/model.safetensors",
            "scores.zarr/c", "scores.zarr/c/9/9/9/9", "scores.zarr/zarr.json/c", "snapshots.zarr/../x/zarr.json", "x/",
            "moments.zarr/count/c/../c/0", "snapshots.zarr/ÿ/zarr.json", "status.json", "imported.json", "spec.yaml",
        ]
    ),
    st.text(max_size=30),
)  # fmt: skip
SPECS = [
    "!!python/object/apply:os.system ['touch escaped']",
    "name: !!python/name:os.system x",
    "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]",
    "name: 2001-99-99",
    "[" * 3_000,
    "name: tiny run\nbackbone: /etc\nid: {run: digits}\nood: [{name: a, source: /etc}]",
    "\x00",
    "- 1",
]


def _nested(depth: int):
    value: list = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.fixture(scope="module")
def members(without_digests) -> dict[str, bytes]:
    return without_digests


@pytest.fixture(scope="module")
def sandbox(tmp_path_factory):
    """A folder with the runs in it; nothing else may ever appear there."""
    home = tmp_path_factory.mktemp("sandbox")
    patch = pytest.MonkeyPatch()
    patch.setenv("CFS_EXPLORE_RUNS", str(home / "runs"))
    patch.chdir(home)
    yield home
    patch.undo()


def flip(data: bytes, draw, many: int = 6) -> bytes:
    """Change some bytes, or cut the end off."""
    changed = bytearray(data)
    if changed and draw(st.integers(0, 4)):
        for _ in range(draw(st.integers(1, many))):
            changed[draw(st.integers(0, len(changed) - 1))] = draw(st.integers(0, 255))
        return bytes(changed)
    return data[: draw(st.integers(0, len(data)))]


def change_json(data: bytes, draw) -> bytes:
    """Another value, another type or nothing at a random place of a JSON text."""
    try:
        content = json.loads(data)
    except ValueError:  # changed before
        return data
    here, steps = content, draw(st.integers(1, 5))
    for step in range(steps):
        keys = list(here) if isinstance(here, dict) else list(range(len(here))) if isinstance(here, list) else []
        if not keys:
            break
        key = draw(st.sampled_from(keys))
        if step == steps - 1 or not isinstance(here[key], dict | list) or not here[key]:
            if draw(st.integers(0, 5)):
                here[key] = draw(ODD)
            else:
                del here[key]
            break
        here = here[key]
    return json.dumps(content).encode()


def change(found: list[tuple[str, bytes]], draw) -> None:
    """One change of the members."""
    kind = draw(st.sampled_from(["json", "json", "zarr", "parquet", "chunk", "yaml", "rename", "drop", "add", "twice"]))
    ending = {"json": "manifest.json", "zarr": "zarr.json", "parquet": ".parquet", "yaml": "spec.yaml"}.get(kind, "")
    where = [i for i, (name, _) in enumerate(found) if name.endswith(ending) and (kind != "chunk" or "/c" in name)]
    assume(where)
    position = draw(st.sampled_from(where))
    name, data = found[position]
    if kind in ("json", "zarr"):
        found[position] = name, change_json(data, draw)
    elif kind in ("parquet", "chunk"):
        found[position] = name, flip(data, draw)
    elif kind == "yaml":
        found[position] = name, draw(st.sampled_from(SPECS)).encode() if draw(st.booleans()) else flip(data, draw)
    elif kind == "rename":
        found[position] = draw(NAMES), data
    elif kind == "drop":
        del found[position]
    else:
        found.append((name if kind == "twice" else draw(NAMES), data))


@st.composite
def zips(draw, members: dict[str, bytes]) -> bytes:
    found = list(members.items())
    for _ in range(draw(st.integers(0, 2))):
        change(found, draw)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in found:
            info = zipfile.ZipInfo(name.encode("utf-8", "replace").decode())
            info.external_attr = (
                draw(st.sampled_from([0o100644, 0o100644, 0o100644, 0o120777])) << 16 if not name else 0
            )
            archive.writestr(info, data)
    packed = buffer.getvalue()
    return flip(packed, draw, 3) if draw(st.integers(0, 6)) == 6 else packed


def read_all(run) -> None:
    """Everything that pages ask a run for."""
    for entry in run.manifest.sets:
        which = entry.role, entry.name
        assert len(run.images(*which, columns=("name", "label", "thumbnail"))) == entry.count
        assert np.isfinite(run.moments(*which).m2).all()
        if entry.score_start >= 0:
            assert np.isfinite(run.scores(*which)).all()
        for tap in run.manifest.kept["taps"]:
            assert len(run.snapshots(tap, *which)) == entry.count
    for ood in run.ood_names:
        assert len(run.auroc_map(ood)) == len(run.levels) * len(run.taps)
    for table in (run.path / "tables").glob("*.parquet"):
        run.table(table.stem)
    assert len(run.score_table()) == sum(entry.count for entry in run.manifest.sets if entry.score_start >= 0)
    assert run.counts.levels == len(run.levels)


@pytest.mark.filterwarnings("ignore:Duplicate name", "ignore:Generating overly large repr")
def test_the_changed_zip_is_read_or_refused(members, sandbox):
    outcomes = {"read": 0, "refused": 0}

    @settings(max_examples=300, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(data=st.data())
    def check(data):
        path = sandbox / "sent.zip"
        path.write_bytes(data.draw(zips(members)))
        trusted = data.draw(st.booleans())
        try:
            with watched(sandbox / "runs"):
                run = bundles.import_zip(path, trusted=trusted)
        except CFSError:
            outcomes["refused"] += 1
        else:
            outcomes["read"] += 1
            assert [run] == list((sandbox / "runs").iterdir())
            read_all(open_run(run))
            assert trusted or str(bundles.spec_text(run)).count(bundles.NOT_HERE) >= 3
            shutil.rmtree(run)
        path.unlink()
        assert [p.name for p in sandbox.iterdir()] in ([], ["runs"])
        assert not (sandbox / "runs").exists() or list((sandbox / "runs").iterdir()) == []

    check()
    assert min(outcomes.values()) > 20, outcomes
