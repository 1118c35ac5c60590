"""A cache in small: speech as opus in parts that can be carried to another machine one by one.

What people said comes first, evaluations before all, and what synthesizers said comes after it: a machine
that was brought the first few parts lacks voices of synthesizers and nothing else.
"""

import io
import json
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile as sf

from scripts.base_model.cache import Cache, Entry, Recorded, append
from scripts.base_model.noise import RATE_HZ
from scripts.base_model.pieces import Cut, read_cuts, write_cuts
from thanosql_audio.decoding import decode
from thanosql_runtime.whole_files import write_whole

_PHONEMES = "phonemes.json"
_CHUNK_S = 300.0
# libsndfile takes a level from 0 to 1 and makes of it 256 to 6 kilobits a second for one channel.
_MOST_KBPS, _FEWEST_KBPS = 256, 6


@dataclass(frozen=True, kw_only=True)
class Packing:
    """How small.

    Attributes:
        folder: Of the parts.
        part_mb: Megabytes of a part at most; a part holds one file of speech at least.
        kbps: Kilobits that a second of speech takes.
        workers: Files that are written at once.
    """

    folder: Path
    part_mb: float = 28.0
    kbps: float = 16.0
    workers: int = 2


def pack(work: Path, reported: dict[str, int], packing: Packing) -> list[Path]:
    """Write the parts of a work folder's cache; speech that was encoded before is not encoded again.

    Args:
        work: Holds the cache, its pauses and its phonemes.
        reported: How many recordings of each evaluation the reports of a training listen to.
        packing: Where and how small.
    """
    heard, cuts = Cache(work / "cache"), read_cuts(work / "cuts.json")
    chunks = list(_chunks(_order(heard, reported)))
    drafts = work / "packing" / f"{packing.kbps:g}_kbps"
    for folder in (drafts, packing.folder):
        folder.mkdir(parents=True, exist_ok=True)

    def write(number: int) -> Path:
        return _write_chunk(drafts / f"speech_{number:05d}.opus", heard, chunks[number], cuts, packing.kbps)

    with ThreadPoolExecutor(packing.workers) as pool:
        written = list(pool.map(write, range(len(chunks))))
    parts = list(_parts(written, packing.part_mb * 1e6))
    folders = [packing.folder / f"part_{number:03d}" for number in range(len(parts))]
    for earlier in packing.folder.glob("part_*"):
        shutil.rmtree(earlier)
    for folder, files in zip(folders, parts, strict=True):
        folder.mkdir()
        for file in files:
            shutil.copy(file, folder)
            shutil.copy(_lines_of(file), folder)
    shutil.copy(work / _PHONEMES, folders[0])
    return folders


def unpack(folders: list[Path], work: Path, workers: int) -> int:
    """Add what is in some parts to a work folder; what it holds already is not read again.

    Returns:
        How many utterances the cache holds then.

    Raises:
        RuntimeError: There are no parts, or none with the phonemes has ever been unpacked here.
    """
    files = sorted(file for folder in folders for file in folder.glob("speech_*.opus"))
    if not files:
        raise RuntimeError(f"there is no packed speech in {', '.join(map(str, folders)) or 'no folder'}")
    work.mkdir(parents=True, exist_ok=True)
    for folder in folders:
        if (folder / _PHONEMES).exists():
            shutil.copy(folder / _PHONEMES, work)
    if not (work / _PHONEMES).exists():
        raise RuntimeError(f"{_PHONEMES} is in the first part: bring it too")
    lines = {file: _read_lines(file) for file in files}
    known = {entry.key for entry in append(work / "cache", iter(()))}
    missing = [file for file in files if not {entry.key for entry, _ in lines[file]} <= known]
    with ThreadPoolExecutor(workers) as pool:
        heard = pool.map(lambda file: _read_chunk(file, [entry for entry, _ in lines[file]]), missing)
        entries = append(work / "cache", (one for chunk in heard for one in chunk))
    places = {entry.key: entry.first for entry in entries}
    found = {places[entry.key]: cuts for file in files for entry, cuts in lines[file] if cuts}
    write_cuts(work / "cuts.json", read_cuts(work / "cuts.json") | found)
    return len(entries)


def _order(heard: Cache, reported: dict[str, int]) -> list[Entry]:
    chosen = [entry for name, count in reported.items() for entry in heard.split(name)[:count]]
    train = sorted(heard.split("train"), key=lambda entry: entry.source == "synthetic")
    return [*chosen, *heard.split("noise"), *train]


def _chunks(entries: list[Entry]) -> Iterator[list[Entry]]:
    chunk: list[Entry] = []
    for entry in entries:
        if chunk and sum(one.seconds for one in chunk) + entry.seconds > _CHUNK_S:
            yield chunk
            chunk = []
        chunk.append(entry)
    if chunk:
        yield chunk


def _parts(files: list[Path], most_bytes: float) -> Iterator[list[Path]]:
    part: list[Path] = []
    size = 0
    for file in files:
        added = file.stat().st_size + _lines_of(file).stat().st_size
        if part and size + added > most_bytes:
            yield part
            part, size = [], 0
        part.append(file)
        size += added
    if part:
        yield part


def _write_chunk(
    file: Path, heard: Cache, chunk: list[Entry], cuts: dict[int, list[Cut]], kbps: float
) -> Path:
    lines = "".join(
        json.dumps({"entry": asdict(entry), "cuts": [asdict(cut) for cut in cuts.get(entry.first, [])]})
        + "\n"
        for entry in chunk
    ).encode()
    if file.exists() and _lines_of(file).exists() and _lines_of(file).read_bytes() == lines:
        return file  # its lines come last: it is whole
    _lines_of(file).unlink(missing_ok=True)
    packed = io.BytesIO()
    samples = np.concatenate([heard.packed(entry.first, entry.count) for entry in chunk])
    level = (_MOST_KBPS - kbps) / (_MOST_KBPS - _FEWEST_KBPS)
    sf.write(packed, samples, RATE_HZ, format="OGG", subtype="OPUS", compression_level=level)
    write_whole(file, packed.getvalue())
    write_whole(_lines_of(file), lines)
    return file


def _read_chunk(file: Path, entries: list[Entry]) -> list[Recorded]:
    samples = decode(file.read_bytes(), sample_rate_hz=RATE_HZ).samples
    if len(samples) != sum(entry.count for entry in entries):
        raise RuntimeError(f"{file} does not hold what its list says: pack it again")
    whole: npt.NDArray[np.int16] = (np.clip(samples, -1, 1) * 32767).astype(np.int16)
    ends = np.cumsum([entry.count for entry in entries])
    return list(zip(entries, np.split(whole, ends[:-1]), strict=True))


def _read_lines(file: Path) -> list[tuple[Entry, list[Cut]]]:
    read = [json.loads(line) for line in _lines_of(file).read_text(encoding="utf-8").splitlines()]
    return [(Entry(**one["entry"]), [Cut(**cut) for cut in one["cuts"]]) for one in read]


def _lines_of(file: Path) -> Path:
    return file.with_suffix(".jsonl")
