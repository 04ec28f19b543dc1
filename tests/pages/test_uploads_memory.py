"""What was uploaded lies on disk once, and Streamlit's copy of it in memory is dropped."""

import types

import pytest
from streamlit.runtime.memory_uploaded_file_manager import MemoryUploadedFileManager
from streamlit.runtime.uploaded_file_manager import UploadedFile, UploadedFileRec

from cfs_explore.errors import SourceError
from cfs_explore.ui import uploads


class Visitor:
    """A visitor's uploader: what Streamlit holds in memory, and the files as a rerun of the page gets them."""

    def __init__(self):
        self.memory = MemoryUploadedFileManager("/upload")

    def gives(self, files: dict[str, bytes]) -> None:
        for number, (name, data) in enumerate(files.items()):
            self.memory.add_file("visitor", UploadedFileRec(f"id-{number}", name, "", data))

    def files(self) -> list[UploadedFile]:
        found = self.memory.file_storage["visitor"].values()
        return [UploadedFile(record, None) for record in found]

    def held(self) -> int:
        """Bytes in memory."""
        return sum(len(record.data) for record in self.memory.file_storage["visitor"].values())


@pytest.fixture
def visitor(tmp_path, monkeypatch):
    monkeypatch.setenv("CFS_EXPLORE_RUNS", str(tmp_path / "runs"))
    found = Visitor()
    context = types.SimpleNamespace(session_id="visitor", uploaded_file_mgr=found.memory)
    monkeypatch.setattr(uploads, "get_script_run_ctx", lambda: context)
    return found


def test_an_archive_leaves_the_memory_and_stays_on_disk(visitor):
    visitor.gives({"a.zip": b"x" * 10_000})
    (file,) = visitor.files()
    path = uploads.spool(file)
    assert visitor.held() == 0 and file.getbuffer().nbytes == 0
    (again,) = visitor.files()
    assert uploads.spool(again) == path and path.read_bytes() == b"x" * 10_000


def test_pictures_that_are_added_later_join_the_first(visitor):
    first = {"f/a/1.png": b"one", "f/b/1.png": b"two"}
    visitor.gives(first)
    uploads.spool_pictures(visitor.files(), "f")
    visitor.gives(first | {"f/b/2.png": b"three"})
    for record in list(visitor.memory.file_storage["visitor"].values())[:2]:  # the first are not sent again
        visitor.memory.add_file("visitor", record._replace(data=b""))
    folder = uploads.spool_pictures(visitor.files(), "f")
    assert visitor.held() == 0
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.png")}
    assert found == {"a/1.png": b"one", "b/1.png": b"two", "b/2.png": b"three"}


def test_what_is_gone_is_said(visitor, tmp_path):
    visitor.gives({"a.zip": b"x", "empty.zip": b""})
    file, empty = visitor.files()
    with pytest.raises(SourceError, match=r"empty\.zip is empty"):
        uploads.spool(empty)
    uploads.take_over(str(uploads.spool(file)), tmp_path / "run")
    with pytest.raises(SourceError, match=r"a\.zip is empty, or a run .* has taken it over\. Upload it again"):
        uploads.spool(visitor.files()[0])


def test_a_full_disk_keeps_the_upload(visitor, monkeypatch):
    visitor.gives({"a.zip": b"x" * 100})
    (file,) = visitor.files()
    with monkeypatch.context() as patch:
        patch.setattr(uploads.shutil, "copyfileobj", _full)
        with pytest.raises(uploads.RunError, match=r"a\.zip could not be stored \(No space left\)"):
            uploads.spool(file)
    assert visitor.held() == 100 and uploads.spool(file).read_bytes() == b"x" * 100


def _full(*_arguments):
    raise OSError(28, "No space left")
