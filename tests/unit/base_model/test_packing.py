"""What is packed on one machine is the same speech on another, with its texts and pauses."""

from pathlib import Path

import numpy as np
import pytest

from scripts.base_model import packing, phonemes
from scripts.base_model.cache import Cache, Entry, append
from scripts.base_model.packing import Packing
from scripts.base_model.phonemes import Pronunciations
from scripts.base_model.pieces import Cut, read_cuts, write_cuts

RATE_HZ = 16_000
SOURCES = ("synthetic", "librispeech", "synthetic", "an4", "librispeech")


def speech(number: int) -> np.ndarray:
    tone = np.sin(2 * np.pi * (200 + 100 * number) * np.arange(RATE_HZ * 2) / RATE_HZ)
    return (12_000 * tone).astype(np.int16)


def entry(number: int, source: str, split: str) -> Entry:
    text = "ABCDEFGHIJ"[number]
    return Entry(first=0, count=2 * RATE_HZ, text=text, source=source, split=split, voice=f"{number}.wav")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    told = [entry(number, source, "train") for number, source in enumerate(SOURCES)]
    told += [entry(5, "an4", "an4"), entry(6, "an4", "an4"), entry(7, "noise", "noise")]
    entries = append(folder / "cache", ((one, speech(number)) for number, one in enumerate(told)))
    write_cuts(folder / "cuts.json", {entries[1].first: [Cut(words=1, sample=9000, level_db=-30.0)]})
    phonemes.write(folder / "phonemes.json", Pronunciations(symbols=["a"], words={"A": [1]}))
    return folder


def pack(work: Path, part_mb: float = 28.0) -> list[Path]:
    how = Packing(folder=work.parent / "packed", part_mb=part_mb, kbps=32.0)
    return packing.pack(work, {"an4": 1}, how)


def test_speech_texts_and_pauses_come_back(work: Path, tmp_path: Path) -> None:
    folders = pack(work)
    assert packing.unpack(folders, tmp_path / "there", workers=2) == 7
    cache = Cache(tmp_path / "there" / "cache")
    in_order = "F" + "H" + "BDE" + "AC"  # what a report hears, noise, people, synthesizers
    assert [one.text for one in cache.entries] == list(in_order)
    for one in cache.entries:
        heard, spoken = cache.samples(one), speech("ABCDEFGHIJ".index(one.text)) / 32768
        assert np.corrcoef(heard, spoken)[0, 1] > 0.95
    (place,) = read_cuts(tmp_path / "there" / "cuts.json")
    assert place == next(one.first for one in cache.entries if one.text == "B")
    assert phonemes.read(tmp_path / "there" / "phonemes.json") == phonemes.read(work / "phonemes.json")


def test_parts_may_come_one_by_one_and_twice(
    work: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "_CHUNK_S", 4.0)
    first, *others = pack(work, part_mb=0.02)
    assert len(others) >= 1
    there = tmp_path / "there"
    some = packing.unpack([first], there, workers=1)
    assert some < 7
    for _ in range(2):
        assert packing.unpack([first, *others], there, workers=1) == 7
    assert len({one.key for one in Cache(there / "cache").entries}) == 7
    assert len(read_cuts(there / "cuts.json")) == 1


def test_packing_again_writes_nothing_twice(work: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pack(work)
    monkeypatch.setattr(packing.sf, "write", None)
    assert pack(work) == before
    assert {path.name for path in (work.parent / "packed").iterdir()} == {"part_000"}


def test_parts_without_the_first_are_refused(work: Path, tmp_path: Path) -> None:
    (only,) = pack(work)
    (only / "phonemes.json").unlink()
    (tmp_path / "there").mkdir()
    with pytest.raises(RuntimeError, match="first part"):
        packing.unpack([only], tmp_path / "there", workers=1)
    with pytest.raises(RuntimeError, match="no packed speech"):
        packing.unpack([], tmp_path / "there", workers=1)
