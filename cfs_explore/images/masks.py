"""Masks that say what is odd in a picture: a folder beside the pictures, as anomaly benchmarks have it (theory 24).

Pictures ``test/<defect>/000.png`` have masks ``ground_truth/<defect>/000_mask.png``; ``000.png``, and any other ending
of an image, will do too. Every value above 0 is marked; in a JPEG or WebP, whose values are not exact, all above 127.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..errors import ImageError, SourceError
from .folder import FolderSource
from .listing import printable
from .preprocess import fit_marks

_ENDING = "_mask"
#: Formats that may change values, and above which value a pixel is marked there.
_LOSSY, _HALF = ("JPEG", "WEBP"), 127


class MaskFolder:
    """The masks of a set's pictures; listed and read as a folder of images is, so that no name leads out of it.

    Args:
        path: of the folder.

    Raises:
        SourceError: it is not there, or holds no image.
    """

    def __init__(self, path: str | os.PathLike) -> None:
        self._shown = printable(os.fspath(path))
        folder = Path(os.path.expanduser(path))
        if not os.path.isdir(folder):  # also where the name is too long for a file
            raise SourceError(
                f"masks = {self._shown} is not a folder. Give the folder that the masks lie in, such as ground_truth/."
            )
        self._source = FolderSource(folder)
        self._places: dict[str, list[int]] = {}
        for place, name in enumerate(self._source.names):
            self._places.setdefault(os.path.splitext(name)[0], []).append(place)
        if not self._places:
            raise SourceError(
                f"no masks in {self._shown}. Put an image NAME{_ENDING}.png for each picture NAME into it."
            )

    def check(self, names: Iterable[str]) -> None:
        """Whether every picture has a mask.

        Args:
            names: of the pictures in their set, with folders.

        Raises:
            SourceError: naming the first without one, or with two.
        """
        for name in names:
            self._place(name)

    def marked(
        self,
        name: str,
        size: tuple[int, int],
        image_shape: tuple[int, int, int],
        policy: str,
        centre_crop: int | None = None,
    ) -> np.ndarray:
        """What is marked in a picture once it is a backbone's input: bool (H, W).

        Args:
            name: of the picture.
            size: its width and height in pixels.
            image_shape, policy: by which the picture was fitted, as for ``to_input``.
            centre_crop: side of the square that was cut out of the picture's middle before.

        Raises:
            SourceError: there is no mask, it cannot be read, or it has another size than its picture.
        """
        place = self._place(name)
        try:
            mask = self._source.read(place)
        except ImageError as error:
            raise SourceError(f"A mask in {self._shown} cannot be read. {error}") from error
        if (mask.width, mask.height) != tuple(size):
            raise SourceError(
                f"The mask {mask.name} in {self._shown} has {mask.width} x {mask.height} pixels, its picture {name} "
                f"{size[0]} x {size[1]}. Give the mask of this very picture."
            )
        marks = (mask.pixels > (_HALF if mask.format in _LOSSY else 0)).any(axis=2)
        if centre_crop is not None:
            top, left = ((length - centre_crop) // 2 for length in marks.shape)
            marks = marks[top : top + centre_crop, left : left + centre_crop]
        return fit_marks(marks, image_shape, policy)

    def stack(self, facts: Sequence[tuple[str, tuple[int, int]]], *fitting) -> np.ndarray:
        """What is marked in several pictures, bool (n, H, W); name and size of each, and the rest as for ``marked``.

        Raises:
            SourceError: as of ``marked``, or nothing is marked in any, or everything in all.
        """
        found = np.stack([self.marked(name, size, *fitting) for name, size in facts])
        if found.all() or not found.any():
            what = "everything" if found.any() else "nothing"
            raise SourceError(
                f"{what} is marked in the masks of {self._shown} for these {len(found)} pictures, at the size of the "
                "backbone's input. Masks are black where a picture is as it should be, and above 0 where it is not; "
                "marks much smaller than a pixel of the input are lost."
            )
        return found

    def _place(self, name: str) -> int:
        stem = os.path.splitext(name)[0]
        for wanted in (stem + _ENDING, stem):
            if places := self._places.get(wanted):
                if len(places) > 1:
                    both = " and ".join(self._source.names[place] for place in places[:2])
                    raise SourceError(f"The picture {name} has two masks in {self._shown}: {both}. Keep one of them.")
                return places[0]
        raise SourceError(
            f"The picture {name} has no mask: {self._shown} holds neither {stem}{_ENDING}.png nor {stem}.png (or "
            "another image ending). Add it, black where nothing is odd, or take the picture out of the set."
        )
