"""The diagnostics as they are declared: their tables are those of the bundles, and everything that derives works."""

import runpy
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from test_light_imports import loaded_by

from cfs_explore.locations import BUNDLES
from cfs_explore.pipeline.diagnose import compute_of
from cfs_explore.store.table_check import fits_kind
from cfs_explore.studies import BASE_TABLES, DIAGNOSTICS, IMAGES, PAGES, STANDARD, TABLES, named_stages, writer_of
from cfs_explore.studies.columns import KINDS, interval

ROOT = Path(__file__).parents[2]
FILES = sorted([*BUNDLES.glob("*/tables/*.parquet"), *BUNDLES.glob("*/images.parquet")])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.relative_to(BUNDLES)}")
def test_a_bundles_table_has_exactly_the_declared_columns(path):
    table = IMAGES if path.stem == "images" else TABLES[path.stem]
    schema = pq.read_schema(path)
    if not pq.read_metadata(path).num_rows:
        assert set(schema.names) <= set(table.column_names)
        return
    needed = {column.name for column in table.columns if not column.optional}
    assert needed <= set(schema.names) <= set(table.column_names)
    for column in table.columns:
        assert column.name not in schema.names or fits_kind(schema.field(column.name).type, column.kind), column.name


def test_the_bundles_have_every_table():
    optional = {name for each in DIAGNOSTICS.values() if each.lacking for name in each.table_names}
    assert {path.stem for path in FILES} | optional == {*TABLES, "images"}


@pytest.mark.parametrize("table", [IMAGES, *TABLES.values()], ids=lambda table: table.name)
def test_every_column_is_described_once_and_means_something(table):
    assert len(set(table.column_names)) == len(table.columns) > 0 and table.row
    for column in table.columns:
        assert column.kind in KINDS and column.meaning.strip() and column.meaning[-1] not in ".,;", column.name


@pytest.mark.parametrize("diagnostic", DIAGNOSTICS.values(), ids=lambda diagnostic: diagnostic.name)
def test_a_diagnostic_is_computed_shown_and_found_by_its_tables(diagnostic):
    assert callable(compute_of(diagnostic))
    assert (ROOT / "pages" / f"{diagnostic.page.name}.py").is_file() and diagnostic.page in PAGES
    assert diagnostic.question.endswith(".") and set(diagnostic.reads) <= {"id_train", "id_test", "ood"}
    assert all(writer_of(name) is diagnostic for name in diagnostic.table_names)
    assert named_stages([diagnostic.name]) == [diagnostic.name]


def test_the_order_is_told_by_their_places():
    places = [diagnostic.place for diagnostic in DIAGNOSTICS.values()]
    assert places == sorted(set(places)) and list(DIAGNOSTICS)[: len(STANDARD)] == list(STANDARD)
    assert len({page.name for page in PAGES}) == len(PAGES) < len(DIAGNOSTICS)


def test_no_two_write_the_same_table():
    names = [name for diagnostic in DIAGNOSTICS.values() for name in diagnostic.table_names]
    assert len(set(names)) == len(names) and [*BASE_TABLES, *names] == list(TABLES)
    assert all(writer_of(name) is None for name in (*BASE_TABLES, "images", "nothing"))


def test_an_interval_is_three_columns():
    assert [column.name for column in interval("x", "X", optional=True)] == ["x", "x_lo", "x_hi"]
    assert [column.name for column in interval("auroc", "A", ends=("lo", "hi"))] == ["auroc", "lo", "hi"]
    assert all(column.optional for column in interval("x", "X", optional=True))


def test_the_page_of_the_tables_is_what_the_command_writes():
    made = runpy.run_path(str(ROOT / "scripts" / "tables_page.py"))["page"]()
    assert (ROOT / "docs" / "tables.md").read_text(encoding="utf-8") == made, "run python scripts/tables_page.py"


def test_the_room_is_light():
    packages = ("numpy", "pandas", "torch", "cfs_explore.pipeline", "cfs_explore.store")
    assert loaded_by("import cfs_explore.studies", packages) == set()
