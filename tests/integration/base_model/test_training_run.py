"""A training run of the base model: two processes, a log, a checkpoint, and a second run that goes on."""

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import torch

from scripts.base_model import network, phonemes
from scripts.base_model.cache import build
from scripts.base_model.phonemes import Pronunciations
from scripts.base_model.plan import Plan
from scripts.base_model.sources import Utterance
from scripts.base_model.training import train

RATE_HZ = 16_000


def plan(folder: Path, budget_s: float) -> Plan:
    return Plan(
        work=folder / "work",
        budget_s=budget_s,
        batch_s=8.0,
        report_s=1000.0,
        shape=network.Shape(hidden=64, layers=2),
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Short tones of two pitches with the names A and B, for training and for every evaluation."""
    found = []
    for split in ("train", "librispeech", "an4", "fsdd", "tutorial"):
        for number in range(40 if split == "train" else 2):
            letter, hertz = (("A", 300), ("B", 1500))[number % 2]
            path = tmp_path / f"{split}{number}.wav"
            tone = 0.3 * np.sin(2 * np.pi * hertz * np.arange(RATE_HZ) / RATE_HZ)
            tone[: RATE_HZ // 4] = tone[-RATE_HZ // 4 :] = 0  # what never changes is normalised away
            sf.write(path, tone + np.random.default_rng(number).normal(0, 0.1, RATE_HZ), RATE_HZ)
            source = "librispeech" if split == "train" else split
            found.append(Utterance(text=letter, source=source, split=split, path=path))
    build(found, tmp_path / "work" / "cache", workers=2)
    pronounced = Pronunciations(symbols=["eɪ", "biː"], words={"A": [1], "B": [2]})
    phonemes.write(tmp_path / "work" / "phonemes.json", pronounced)
    return tmp_path


def log(folder: Path) -> list[dict[str, str]]:
    with (folder / "work" / "log.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


@pytest.mark.timeout(300)
def test_a_run_goes_on_where_the_last_one_paused(folder: Path) -> None:
    assert not train(replace(plan(folder, 6.0), pause_s=2.0))
    (first,) = log(folder)
    kept = torch.load(folder / "work" / "checkpoint.pt", weights_only=True)
    assert int(first["step"]) > 0
    assert kept["progress"]["steps"] == int(first["step"])

    assert train(plan(folder, 6.0))
    _, second = log(folder)
    assert int(second["step"]) > int(first["step"])
    assert float(second["audio_hours"]) >= float(first["audio_hours"])
    assert float(second["loss_per_letter"]) < float(first["loss_per_letter"])
    learned = torch.load(folder / "work" / "checkpoint.pt", weights_only=True)["learner"]
    assert all(torch.isfinite(weight).all() for weight in learned.values())
