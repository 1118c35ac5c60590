"""Which recordings may have a transcript that is kept, so that the others need not be looked up."""

import numpy as np
import numpy.typing as npt

PREFIX_BYTES = 8
"""So many bytes of a digest tell recordings apart here."""
_HEX_DIGITS = 2 * PREFIX_BYTES
_PLACES = 1 << 23


class SeenRecordings:
    """A set in constant memory: its no is certain, its yes is wrong for 1 of 20 at a million recordings."""

    def __init__(self) -> None:
        self._marks = np.zeros(_PLACES, np.bool_)

    def add(self, prefixes: bytes) -> None:
        """Add recordings by the starts of their digests, one behind the other."""
        self._marks[_places(prefixes)] = True

    def note(self, sha256: str) -> None:
        """Add one by its digest."""
        self.add(bytes.fromhex(sha256[:_HEX_DIGITS]))

    def may_have(self, sha256: str) -> bool:
        """Tell whether a recording may have been added."""
        return bool(self._marks[_places(bytes.fromhex(sha256[:_HEX_DIGITS]))].all())


def _places(prefixes: bytes) -> npt.NDArray[np.uint32]:
    """Two of each."""
    halves: npt.NDArray[np.uint32] = np.frombuffer(prefixes, ">u4").astype(np.uint32)
    return halves & np.uint32(_PLACES - 1)
