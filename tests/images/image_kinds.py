"""The same images as every kind of source, for the tests of all kinds and the fuzz tests."""

import csv
import io
import os
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

Maker = Callable[[Path, Path], object]


def names_in(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.png"))


def stacked(folder: Path) -> np.ndarray:
    from PIL import Image

    return np.stack([np.asarray(Image.open(folder / name)) for name in names_in(folder)])


def labels_of(folder: Path) -> list[str]:
    return [name.split("/")[0] for name in names_in(folder)]


def as_zip(folder: Path, out: Path) -> Path:
    with zipfile.ZipFile(out / "set.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in reversed(names_in(folder)):
            archive.write(folder / name, name)
    return out / "set.zip"


def as_tar(folder: Path, out: Path, mode: str = "w", ending: str = ".tar") -> Path:
    with tarfile.open(out / f"set{ending}", mode) as archive:
        for name in reversed(names_in(folder)):
            archive.add(folder / name, name)
    return out / f"set{ending}"


def as_tar_zst(folder: Path, out: Path) -> Path:
    plain = as_tar(folder, out, ending=".plain")
    with pa.CompressedOutputStream(str(out / "set.tar.zst"), "zstd") as stream:
        stream.write(plain.read_bytes())
    return out / "set.tar.zst"


def as_files(folder: Path, out: Path) -> dict:
    """As a browser gives them: flat paths on the disk, the folder's own names beside them."""
    names = names_in(folder)
    for i, name in enumerate(names):
        (out / f"upload{i}.png").write_bytes((folder / name).read_bytes())
    return {"files": [str(out / f"upload{i}.png") for i in range(len(names))], "names": names}


def as_csv(folder: Path, out: Path) -> dict:
    with open(out / "set.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "image_path", "label"])
        writer.writerows([i, n, n.split("/")[0]] for i, n in enumerate(names_in(folder)))
    return {"path": str(out / "set.csv"), "root": str(folder)}


def as_parquet(folder: Path, out: Path) -> Path:
    cells = [{"bytes": (folder / name).read_bytes(), "path": name} for name in names_in(folder)]
    pq.write_table(pa.table({"image": cells, "label": labels_of(folder)}), out / "set.parquet", row_group_size=5)
    return out / "set.parquet"


def as_parquet_paths(folder: Path, out: Path) -> dict:
    table = pa.table({"file_name": names_in(folder), "class": labels_of(folder)})
    pq.write_table(table, out / "paths.parquet", row_group_size=5)
    return {"path": str(out / "paths.parquet"), "root": str(folder)}


def as_npz(folder: Path, out: Path) -> Path:
    np.savez_compressed(out / "set.npz", images=stacked(folder), labels=labels_of(folder))
    return out / "set.npz"


def as_npy(folder: Path, out: Path) -> Path:
    np.save(out / "set.npy", stacked(folder))
    return out / "set.npy"


def as_float_npy(folder: Path, out: Path) -> dict:
    np.save(out / "float.npy", stacked(folder).astype(np.float32) / 255 * 4 - 3)
    return {"path": str(out / "float.npy"), "range": [-3, 1]}


def as_imglist(folder: Path, out: Path) -> dict:
    lines = [f"{name} {name.split('/')[0]}" for name in names_in(folder)]
    (out / "list.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return {"imglist": str(out / "list.txt"), "root": str(folder)}


def as_hub(folder: Path, out: Path) -> dict:
    return {"hub": str(folder), "split": "train"}


def as_torchvision(folder: Path, out: Path) -> dict:
    """EuroSAT's layout: a folder per class."""
    shutil.copytree(folder, out / "eurosat" / "2750")
    return {"torchvision": "EuroSAT", "root": str(out)}


#: Kind -> how a folder of PNG files becomes that kind.
KINDS: dict[str, Maker] = {
    "folder": lambda folder, out: folder,
    "path": lambda folder, out: {"path": str(folder)},
    "zip": as_zip,
    "tar": as_tar,
    "tar.gz": lambda folder, out: as_tar(folder, out, "w:gz", ".tar.gz"),
    "tgz": lambda folder, out: as_tar(folder, out, "w:gz", ".tgz"),
    "tar.bz2": lambda folder, out: as_tar(folder, out, "w:bz2", ".tar.bz2"),
    "tar.zst": as_tar_zst,
    "files": as_files,
    "csv": as_csv,
    "parquet": as_parquet,
    "parquet paths": as_parquet_paths,
    "npz": as_npz,
    "npy": as_npy,
    "float npy": as_float_npy,
    "imglist": as_imglist,
    "hub": as_hub,
    "torchvision": as_torchvision,
}
#: Kind -> the optional library that it needs.
NEEDS = {"hub": "datasets", "torchvision": "torchvision"}


def tar_of(members: list[tarfile.TarInfo | tuple[str, bytes]], format: int = tarfile.PAX_FORMAT) -> bytes:
    """A tar of headers and of (name, content)."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=format) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return buffer.getvalue()


def everything_below(folder: Path) -> set[str]:
    return {os.path.join(at, name) for at, folders, files in os.walk(folder) for name in [*folders, *files]}
