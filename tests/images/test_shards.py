"""Tar shards in WebDataset's layout and parquet in several files, here and by addresses: the images of a folder."""

import io
import json
import os
import sys
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from image_kinds import tar_of

from cfs_explore.errors import FetchError, SourceError
from cfs_explore.images import open_source, parquet_shards, paths_named
from cfs_explore.images.shard_files import expanded
from cfs_explore.images.tables import ParquetSource
from cfs_explore.safe_io import fetching
from cfs_explore.spec import RunSpec


@pytest.fixture
def shown():
    """uint8 (12, 5, 6, 3)."""
    return np.random.default_rng(3).integers(0, 256, (12, 5, 6, 3), np.uint8)


@pytest.fixture
def shards(shown, encode_png, tmp_path):
    """Three tars of four images, each with a class and a patient, one of them shuffled."""
    home = tmp_path / "shards"
    home.mkdir()
    for shard in range(3):
        members = []
        for i in range(4):
            number = 4 * shard + i
            facts = {"label": f"c{number % 2}", "patient_id": f"p{number // 3}", "other": 1.5}
            key = f"{i:04d}"
            members.append([(f"{key}.png", encode_png(shown[number])), (f"{key}.json", json.dumps(facts).encode())])
        members = members[::-1] if shard == 1 else members
        (home / f"train-{shard:03d}.tar").write_bytes(tar_of([each for sample in members for each in sample]))
    return home


@pytest.fixture
def tables(shown, encode_png, tmp_path):
    home = tmp_path / "tables"
    home.mkdir()
    for part in range(3):
        rows = range(4 * part, 4 * part + 4)
        cells = [{"bytes": encode_png(shown[row]), "path": None} for row in rows]
        columns = {"image": cells, "label": [f"c{row % 2}" for row in rows], "patient_id": [row // 3 for row in rows]}
        pq.write_table(pa.table(columns), home / f"x-{part}.parquet", row_group_size=3)
    return home


@pytest.fixture
def memory():
    """fsspec's storage in memory, empty again afterwards."""
    fsspec = pytest.importorskip("fsspec", reason="the optional library fsspec is not installed")
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()


def put(system, folder, bucket):
    for path in folder.iterdir():
        system.pipe(f"/{bucket}/{path.name}", path.read_bytes())


def assert_holds(given, shown):
    """All images in their order, also when they are asked for in another one."""
    with open_source(given) as source:
        assert len(source) == len(shown) and source.skipped == [] and source.names == sorted(source.names)
        for number in [7, 0, 11, 3, *range(12)]:
            record = source.read(number)
            np.testing.assert_array_equal(record.pixels, shown[number])
            assert (record.label, record.name) == (f"c{number % 2}", source.names[number])
        assert source.labels() == [f"c{number % 2}" for number in range(12)]
        assert len({source.read(number).group for number in range(12)}) == 4
        return source.names


@pytest.mark.parametrize(
    "pattern", ["", "/train-{000..002}.tar", "/train-*.tar", "/train-00?.tar", "/train-{000,001,002}.tar"]
)
def test_tars(pattern, shards, shown):
    names = assert_holds({"tars": f"{shards}{pattern}"}, shown)
    assert names[5] == "train-001/0001.png"


@pytest.mark.parametrize("pattern", ["", "/x-{0..2}.parquet", "/x-*.parquet"])
def test_parquet(pattern, tables, shown):
    assert assert_holds({"parquet": f"{tables}{pattern}"}, shown)[5] == "x-1/000001"


def test_few_parquet_files_are_open_at_a_time(tables, shown, monkeypatch):
    """A system allows about a thousand; those that were closed are opened again, whatever the order."""
    monkeypatch.setattr(parquet_shards, "MAX_OPEN", 2)
    of_process = Path("/proc/self/fd")
    if not of_process.is_dir():
        pytest.skip("this system does not list the open files of a process")

    def are_open():
        return {Path(os.readlink(each)).name for each in of_process.iterdir() if each.exists()} & names

    names = {path.name for path in tables.iterdir()}
    with open_source({"parquet": str(tables)}) as source:
        count = len(source)
        for index in [*range(count), *reversed(range(count))]:
            assert source.read(index).label and 1 <= len(are_open()) <= 2 < len(names)
    assert_holds({"parquet": str(tables)}, shown)
    assert not are_open()


def test_what_a_parquet_file_lists_is_read_once(tables, shown, monkeypatch):
    """However often it is opened again: names, and the groups, which are read with them."""
    monkeypatch.setattr(parquet_shards, "MAX_OPEN", 2)
    listed, opened = [], []
    names, open_file = ParquetSource._list_names, parquet_shards.open_file
    monkeypatch.setattr(ParquetSource, "_list_names", lambda self: listed.append(self.location) or names(self))
    monkeypatch.setattr(parquet_shards, "open_file", lambda name: opened.append(name) or open_file(name))
    with open_source({"parquet": str(tables)}) as source:
        for index in np.random.default_rng(0).permutation(np.repeat(np.arange(12), 3)):
            np.testing.assert_array_equal(source.read(int(index)).pixels, shown[index])
    assert len(opened) > 6 and len(listed) == len(set(listed)) == 3


def test_a_parquet_file_that_is_written_anew_meanwhile(tables, monkeypatch):
    monkeypatch.setattr(parquet_shards, "MAX_OPEN", 1)
    with open_source({"parquet": str(tables)}) as source:
        pq.write_table(pq.read_table(tables / "x-0.parquet").slice(1), tables / "x-0.parquet")
        with pytest.raises(SourceError, match=r"x-0\.parquet was written anew while its images were read"):
            source.read(0)
        assert source.read(4).label


@pytest.mark.parametrize(
    "pattern", ["memory://bucket", "memory://bucket/train-{000..002}.tar", "memory://bucket/t*.tar"]
)
def test_tars_by_address(pattern, shards, shown, memory):
    put(memory, shards, "bucket")
    assert_holds({"tars": pattern}, shown)


def test_only_the_bytes_of_an_image_are_read(shards, memory, monkeypatch):
    put(memory, shards, "bucket")
    with open_source({"tars": "memory://bucket"}) as source:
        asked, cat = [], type(memory).cat_file

        def noted(self, path, start=None, end=None, **options):
            asked.append(end - start)
            return cat(self, path, start=start, end=end, **options)

        monkeypatch.setattr(type(memory), "cat_file", noted)
        source.read(4)
    assert len(asked) == 1 and asked[0] < 400


@pytest.mark.parametrize("pattern", ["memory://b/y/x-*.parquet", "memory://b/y/x-{0..2}.parquet", "memory://b/y/"])
def test_parquet_by_address(pattern, tables, shown, memory):
    put(memory, tables, "b/y")
    assert_holds({"parquet": pattern}, shown)


def test_files_by_address(tables, shards, shown):
    pytest.importorskip("fsspec", reason="the optional library fsspec is not installed")
    assert_holds({"parquet": f"file://{tables}/x-*.parquet"}, shown)
    assert_holds({"tars": f"file://{shards}/train-{{000..002}}.tar"}, shown)


def test_what_tells_a_label(tmp_path, encode_png):
    """The class member first, then a field, then the folder of the key; a named field alone where one is named."""
    png = encode_png(np.zeros((2, 2), np.uint8))
    members = [
        *[("a/1.png", png), ("a/1.cls", b"7\n"), ("a/1.json", b'{"label": "x", "kind": 3, "who": "me"}')],
        *[("b/2.v1.png", png), ("b/2.json", b'{"label": "y", "kind": 4, "who": "me"}'), ("b/2.txt", b"a caption")],
        *[("c/3.png", png), ("c/3.json", b'{"kind": 5, "who": -1}')],
    ]
    (tmp_path / "s.tar").write_bytes(tar_of(members))
    given = {"tars": str(tmp_path / "s.tar")}
    with open_source(given) as source:
        assert source.names == ["s/a/1.png", "s/b/2.v1.png", "s/c/3.png"]
        assert source.labels() == ["7", "y", "c"] and source.skipped == []
    with open_source(given | {"label_column": "kind", "group_column": "who"}) as source:
        assert source.labels() == ["3", "4", "5"] and source.groups == ["me", "me", ""]


def test_keys_with_several_images_or_none(tmp_path, encode_png):
    one, two = (encode_png(np.full((2, 2), value, np.uint8)) for value in (10, 20))
    members = [
        *[("1.png", one), ("1.seg.png", two)],
        *[("2.png", one), ("2.webp", two)],
        *[("3.left.png", one), ("3.right.png", two)],
        ("4.json", b"{}"),
        ("../5.png", one),
        *[(".hidden.png", one), ("6.PNG", one)],
    ]
    (tmp_path / "s.tar").write_bytes(tar_of(members))
    given = {"tars": str(tmp_path / "s.tar")}
    with open_source(given) as source:
        assert source.names == ["s/1.png", "s/6.png"] and source.read(0).pixels[0, 0, 0] == 10
        reasons = {name.rpartition("/")[2]: why for name, why in source.skipped}
    assert reasons["2"] == "several images (png, webp); `column` chooses one"
    assert reasons["3"] == "several images (left.png, right.png); `column` chooses one"
    assert reasons["4"] == "no image among its members" and reasons["5"] == "unsafe path" and len(reasons) == 4
    with open_source(given | {"column": "right.png"}) as source:
        assert source.names == ["s/3.right.png"] and source.read(0).pixels[0, 0, 0] == 20


@pytest.mark.parametrize(
    ("members", "options", "message"),
    [
        ([("1.json", b"{")], {}, r"s\.tar: 1\.json is not readable JSON"),
        ([("1.json", b"[1]")], {}, r"s\.tar: 1\.json is no JSON object"),
        ([("1.json", b'{"a": 1}')], {"label_column": "kind"}, r"1\.json has no field 'kind' that `label_column`.* a\."),
        ([], {"group_column": "who"}, r"s\.tar: 1\.json is missing, with the field that `group_column`"),
        ([("1.cls", b"\xff")], {}, r"s\.tar: 1\.cls is no text"),
        ([("1.cls", b"a" * 70_000)], {}, r"1\.cls has 70,000 bytes; allowed are 65,536"),
    ],
)
def test_bad_facts(members, options, message, tmp_path, encode_png):
    (tmp_path / "s.tar").write_bytes(tar_of([("1.png", encode_png(np.zeros((2, 2), np.uint8))), *members]))
    with pytest.raises(SourceError, match=message):
        open_source({"tars": str(tmp_path / "s.tar"), **options})


def test_bad_files(shards, tables, tmp_path):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz"):
        pass
    for name, content in (("a.tar", packed.getvalue()), ("b.tar", (shards / "train-000.tar").read_bytes()[:700])):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SourceError, match=rf"{name} is not a readable plain tar archive"):
            open_source({"tars": str(tmp_path / name)})
    (tables / "x-1.parquet").write_bytes(b"PAR1")
    with pytest.raises(SourceError, match=r"x-1\.parquet is not a readable parquet file"):
        open_source({"parquet": str(tables)})
    pq.write_table(pa.table({"n": [1]}), tables / "x-1.parquet")
    with pytest.raises(SourceError, match=r"x-1\.parquet has no image column"):
        open_source({"parquet": str(tables)})
    for given, message in (
        ({"tars": str(tmp_path / "none-{0..2}.tar")}, r"none-0\.tar does not exist"),
        ({"tars": str(tmp_path / "none-*.tar")}, r"none-\*\.tar names no file ending in \.tar"),
        ({"tars": str(tmp_path / "*" / "a.tar")}, "may stand in a file's name, not a folder's"),
        ({"tars": str(tmp_path / "a-{5..2}.tar")}, r"\{5\.\.2\} is no range"),
        ({"tars": str(tmp_path / "a-{0..99}{0..9999}.tar")}, "more than 100,000 files"),
        ({"parquet": str(shards)}, r"names no file ending in \.parquet"),
        ({"tars": str(shards), "root": "/"}, r"has no option 'root'"),
        ({"tars": 3}, "tars = 3; allowed is a path"),
    ):
        with pytest.raises(SourceError, match=message):
            open_source(given)


def test_expanding():
    assert expanded("a-{08..11}-{x,y}") == [f"a-{n}-{c}" for n in ("08", "09", "10", "11") for c in "xy"]
    assert expanded("plain") == ["plain"]


def test_a_server_opens_no_address_for_visitors(shards, tables, memory, monkeypatch):
    put(memory, shards, "bucket")
    put(memory, tables, "bucket")
    for named in ((), ("torchvision",), fetching.EVERYTHING):
        with monkeypatch.context() as patch:
            patch.setenv("CFS_EXPLORE_VISITORS_FETCH", "")
            fetching.act_for_visitors(named)
            for given in ({"tars": "memory://bucket"}, {"parquet": "memory://bucket/x-{0..2}.parquet"}):
                for each in (given, {"altered": "flipped", "of": given}):
                    with pytest.raises(FetchError, match=r"memory://bucket.*not fetch for its visitors"):
                        open_source(each)
            with pytest.raises(FetchError):
                open_source({"tars": f"file://{shards}"})


def test_every_file_of_a_pattern_is_named(tmp_path):
    """What a server compares with the folders that it opens: no brace leads out of them."""
    assert paths_named({"tars": "/data/{.,x}{.,y}/s.tar"}) == [f"/data/{a}{b}/s.tar" for a in ".x" for b in ".y"]
    assert paths_named({"parquet": "/data/x-*.parquet"}) == ["/data"]
    assert paths_named({"tars": "s3://b/x-{0..1}.tar"}) == ["s3://b/x-0.tar", "s3://b/x-1.tar"]
    assert paths_named({"tars": "/data/{9..1}.tar"}) == ["/data/{9..1}.tar"]


def test_without_the_library(monkeypatch):
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(SourceError, match=r'needs the library fsspec: pip install "cfs-explore\[cloud\]"'):
        open_source({"tars": "memory://bucket/a.tar"})


def test_without_the_storages_own_library(memory):
    try:
        import s3fs  # noqa: F401
    except ImportError:
        with pytest.raises(SourceError, match=r"needs the library for s3://.*Install it: s3fs"):
            open_source({"tars": "s3://bucket/a.tar"})
    with pytest.raises(SourceError, match="odd://bucket"):
        open_source({"tars": "odd://bucket/a.tar"})
    with pytest.raises(SourceError, match=r"memory://bucket/none\.tar"):
        open_source({"tars": "memory://bucket/none.tar"})


def test_patterns_start_at_the_specs_folder(tmp_path, shards):
    sources = ["shards/train-{000..002}.tar", "shards", "train-*.tar", "none/a-*.tar", "s3://b/x-*.tar"]
    ood = [{"name": f"s{i}", "source": {"tars": source}} for i, source in enumerate(sources)]
    content = {"name": "a", "backbone": "b/c", "id": {"run": "digits"}, "ood": ood}
    (tmp_path / "spec.yaml").write_text(json.dumps(content))
    found = [each.source["tars"] for each in RunSpec.parse(tmp_path / "spec.yaml").ood]
    here = [str(tmp_path / source) for source in sources[:3]]
    assert found == [*here, *sources[3:]]
