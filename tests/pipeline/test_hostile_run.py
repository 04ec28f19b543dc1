"""Whole runs of hostile files: the good are measured as if alone, the rest is reported; nothing is executed."""

import io
import tarfile
import zipfile

import numpy as np
import pytest
from watch import watched

from cfs_explore.pipeline import explore

BAD = {
    "script.jpg": b"#!/bin/sh\ntouch pwned\n",
    "drawing.png": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "pickle.png": b"\x80\x04cposix\nsystem\n(S'touch pwned'\ntR.",
    "bomb.ppm": b"P5 60000 60000 255\n",
    "<script>alert(1)</script>\x1b\u202e.png": b"",
}
UNSAFE = ("../up.png", "a/../../up.png", "/tmp/absolute.png", "C:\\drive.png")


def as_zip(out, good: dict[str, bytes]):
    with zipfile.ZipFile(out / "set.zip", "w") as archive:
        for name, data in {**good, **BAD, **dict.fromkeys(UNSAFE, good["0000.png"]), "inner.zip": b"PK"}.items():
            archive.writestr(name, data)
        link = zipfile.ZipInfo("link.png")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return str(out / "set.zip")


def as_tar(out, good: dict[str, bytes]):
    with tarfile.open(out / "set.tar.gz", "w:gz") as archive:
        for name, data in {**good, **BAD, **dict.fromkeys(UNSAFE, good["0000.png"]), "inner.zip": b"PK"}.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            info = tarfile.TarInfo(f"special{kind.decode()}.png")
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    return str(out / "set.tar.gz")


def as_csv(out, good: dict[str, bytes]):
    (out / "root").mkdir()
    (out / "secret.png").write_bytes(good["0000.png"])
    for i, (name, data) in enumerate([*good.items(), *BAD.items()]):
        (out / "root" / (name if name.isprintable() and "/" not in name else f"odd{i}.png")).write_bytes(data)
    (out / "root" / "link.png").symlink_to(out / "secret.png")
    names = [path.name for path in (out / "root").iterdir()] + ["../secret.png", str(out / "secret.png"), "/dev/zero"]
    (out / "set.csv").write_text("\n".join(["path", *names]))
    return {"path": str(out / "set.csv"), "root": str(out / "root")}


def as_folder(out, good: dict[str, bytes]):
    as_csv(out, good)
    (out / "root" / "link.png").unlink()
    (out / "root" / "folder").symlink_to(out, target_is_directory=True)
    return str(out / "root")


@pytest.mark.parametrize(("write", "skipped"), [(as_zip, 11), (as_tar, 14), (as_csv, 9), (as_folder, 6)])
def test_what_is_good_is_measured_and_the_rest_reported(write, skipped, quick_spec, write_images, tmp_path):
    clean = write_images(6, "folder", seed=5)
    good = {path.name: path.read_bytes() for path in clean.iterdir()}
    hostile = write(tmp_path, good)
    runs = []
    for name, source in (("clean", str(clean)), ("hostile", hostile)):
        with watched(tmp_path / name):
            spec = quick_spec | {"ood": [{"name": "set", "source": source}]}
            runs.append(explore(spec, tmp_path / name, device="cpu"))
    np.testing.assert_array_equal(runs[0].scores("ood", "set"), runs[1].scores("ood", "set"))
    table = runs[1].table("skipped")
    assert len(table) == skipped and table["name"].map(str.isprintable).all(), table
    assert any(
        f"set: {skipped} file{'s' * (skipped != 1)} could not be used" in warning
        for warning in runs[1].manifest.warnings
    )
