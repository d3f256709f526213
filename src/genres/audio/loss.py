"""Count what is decoded of a file and what is missing, and compare it with what the file declares."""

import math
from pathlib import Path

from genres.audio.error import AudioError
from genres.audio.mpeg import tag_bytes
from genres.audio.structure import End, warn_of_others
from genres.core.console import warn

# A file that lacks more is rejected. Less may be the padding of an encoder, which some headers count.
MOST_MISSING_SECONDS = 1.0


class Loss:
    """Count of the seconds that are decoded and of those that are missing.

    Parameters
    ----------
    declared : float or None
        Seconds that the header declares; None if it declares none.
    end : End or None
        End of the sound by the parts of the file; None if they do not tell.
    tagged : float or None
        Seconds that a tag names. It may be of another version of the song, so only a file that is cut off is compared.
    """

    def __init__(self, declared: float | None, end: End | None, tagged: float | None) -> None:
        self.declared, self._end, self._tagged = declared, end, tagged
        self.decoded, self._missing = 0.0, 0.0
        self._place: float | None = None  # of the first damage, in seconds

    def miss(self, seconds: float) -> None:
        """Add missing seconds here, unless all that is declared is decoded.

        Raises
        ------
        AudioError
            If it is too much in all.
        """
        if (
            self._end is None
            and self.declared is not None
            and abs(self.decoded - self.declared) <= MOST_MISSING_SECONDS
        ):
            return
        self.note()
        self._missing += seconds
        if self._missing > MOST_MISSING_SECONDS:
            raise AudioError(
                f"damaged at {self._place:.1f} s: more than {MOST_MISSING_SECONDS:.0f} s cannot be decoded"
            )

    def note(self) -> None:
        """Remember this place, if it is the first with damage."""
        self._place = self.decoded if self._place is None else self._place

    def finish(self, path: Path, position: int, is_cut: bool, shows_cuts: bool) -> None:
        """Compare what was decoded with what the file declares.

        Parameters
        ----------
        path : Path
        position : int
            End of the last packet, in bytes.
        is_cut : bool
            The last packet is not complete.
        shows_cuts : bool
            No part of a packet can be decoded, so that a file with all packets complete is an excerpt whose header is
            that of the whole.

        Raises
        ------
        AudioError
            If more than a second is missing, or, in a file that is cut off, an unknown part.
        """
        if self.declared is not None:
            if shows_cuts and not is_cut and self._place is None and self._lacks(self.declared):
                warn(f"{path}: an excerpt of {self.decoded:.1f} s, whose header declares {self.declared:.1f} s")
                return
            self._compare(self.declared, "its header")
        if warn_of_others(path, self.decoded, position):
            return
        if self._end is None and self.declared is not None:
            return
        size = path.stat().st_size
        end = self._end or End(size - _tag_bytes(path, position))
        if end.position == math.inf:
            raise AudioError(
                f"truncated: cut off at {self.decoded:.1f} s; its header does not declare how much is missing"
            )
        lost = (end.position - position) * self.decoded / max(1, position)
        if end.position > size:
            self._compare(self.decoded + lost, "the size in its header")
        elif lost > MOST_MISSING_SECONDS:
            self.miss(lost)
        elif is_cut and self.declared is None:
            if self._tagged is not None:
                self._compare(self._tagged, "its tag")
            warn(f"{path}: cut off at {self.decoded:.1f} s; its header does not declare how much is missing")
        elif not end.marked:
            warn(f"{path}: ends at {self.decoded:.1f} s without the mark of an end; more may be missing")

    def _lacks(self, seconds: float) -> bool:
        return self.decoded < seconds - MOST_MISSING_SECONDS

    def _compare(self, seconds: float, source: str) -> None:
        if self._lacks(seconds):
            of = f"{self.decoded:.1f} s of the {seconds:.1f} s that {source} declares"
            place = self._place
            raise AudioError(f"truncated: {of}" if place is None else f"damaged at {place:.1f} s: {of} can be decoded")


def _tag_bytes(path: Path, position: int) -> int:
    with path.open("rb") as file:
        file.seek(position)
        return tag_bytes(file.read())
