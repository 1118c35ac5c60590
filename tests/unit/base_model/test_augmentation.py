"""Speech stays speech however it is varied, and noise is never empty of surprises or of numbers."""

import numpy as np
import pytest
import torch
from torch import Tensor

from scripts.base_model.augment import (
    Augmenter,
    Chances,
    Heard,
    coloured,
    in_rooms,
    normalised,
    resped,
    telephoned,
)
from scripts.base_model.noise import NoiseBank, artificial_noise
from thanosql_ctc.waveform import normalise_waveform

RATE_HZ = 16_000
CPU = torch.device("cpu")
NEVER = Chances(speed=0, colour=0, room=0, telephone=0, noise=0)


def tone(hertz: float, seconds: float = 1.0) -> Tensor:
    return torch.sin(2 * np.pi * hertz * torch.arange(int(seconds * RATE_HZ)) / RATE_HZ)


def heard(*recordings: Tensor) -> Heard:
    longest = max(map(len, recordings))
    padded = [torch.nn.functional.pad(one, (0, longest - len(one))) for one in recordings]
    return Heard(samples_bs=torch.stack(padded), lengths=[len(one) for one in recordings])


def bank(seed: int = 1) -> NoiseBank:
    return NoiseBank([tone(50, 0.3).numpy()], CPU, np.random.default_rng(seed))


def loudest_hertz(samples: Tensor) -> float:
    return float(torch.fft.rfft(samples).abs().argmax() * RATE_HZ / len(samples))


@pytest.mark.parametrize("seed", range(10))
def test_variation_is_finite_repeatable_and_of_about_the_same_length(seed: int) -> None:
    always = Chances(speed=1, colour=1, room=1, telephone=0.5, noise=1)
    speech = heard(tone(440), tone(600, 0.7))
    once, again = (
        Augmenter(bank(seed), always).vary(speech, [False, False], 2, np.random.default_rng(seed))
        for _ in range(2)
    )
    torch.testing.assert_close(once.samples_bs, again.samples_bs)
    assert once.lengths == again.lengths
    assert torch.isfinite(once.samples_bs).all()
    assert len(once.lengths) == len(once.samples_bs) == 4
    for length, seconds in zip(once.lengths, (1.0, 0.7) * 2, strict=True):
        assert 1 / 1.17 < length / RATE_HZ / seconds < 1 / 0.85


def test_views_differ_in_where_they_are_heard_and_not_in_how_fast() -> None:
    augmenter = Augmenter(bank(), Chances(speed=1, colour=1, room=0, telephone=0, noise=0))
    both = tone(440) + tone(3000)
    views = augmenter.vary(heard(both), [False], 2, np.random.default_rng(3))
    one, other = views.samples_bs
    assert views.lengths[0] == views.lengths[1]
    assert loudest_hertz(one) == loudest_hertz(other)
    assert not torch.allclose(one, other, atol=0.01)


def test_playing_faster_raises_the_pitch_and_shortens_each_recording_by_its_own_speed() -> None:
    played = resped(heard(tone(400), tone(400, 0.5)), [1.25, 1.0])
    assert played.lengths == [int(RATE_HZ / 1.25), RATE_HZ // 2]
    assert loudest_hertz(played.samples_bs[0, : played.lengths[0]]) == pytest.approx(500, rel=0.01)
    torch.testing.assert_close(played.samples_bs[1, : RATE_HZ // 2], tone(400, 0.5))
    assert (played.samples_bs[1, RATE_HZ // 2 :] == 0).all()


def test_a_room_adds_an_echo_after_the_sound_and_nothing_before_it() -> None:
    claps = torch.zeros(3, RATE_HZ)
    claps[:, 4000] = 1.0
    for clap in in_rooms(claps, np.random.default_rng(1)):
        assert clap[:3990].abs().max() < 1e-5
        assert float(clap[4000]) == pytest.approx(1.0, abs=1e-3)
        assert float(clap[4040:].square().sum().sqrt()) > 0.1


def test_added_noise_lies_within_the_levels_asked_for() -> None:
    always = Chances(
        speed=0, colour=0, room=0, telephone=0, noise=1, loudest_noise_db=10, quietest_noise_db=20
    )
    noises, levels = bank(), []
    speech = tone(440, 2.0)
    for seed in range(20):
        varied = Augmenter(noises, always).vary(heard(speech), [False], 1, np.random.default_rng(seed))
        share = float((varied.samples_bs[0] @ speech) / varied.samples_bs[0].norm() / speech.norm())
        levels.append(10 * np.log10(share**2 / (1 - share**2 + 1e-12)))
    audible = [level for level in levels if level < 60]  # digital silence is one of the noises
    assert len(audible) > 10
    assert 9 < min(audible) <= max(audible) < 21


def test_telephone_takes_the_high_tones_away() -> None:
    high, low = telephoned(torch.stack([tone(6000), tone(1000)]))
    assert float(high.square().mean().sqrt()) < 0.05
    assert float(low.square().mean().sqrt()) > 0.6


def test_what_holds_no_speech_is_noise_in_every_view() -> None:
    speech = heard(tone(440), torch.zeros(RATE_HZ // 2))
    varied = Augmenter(bank(2), NEVER).vary(speech, [False, True], 2, np.random.default_rng(5))
    assert varied.lengths == [RATE_HZ, RATE_HZ // 2] * 2
    for view in (0, 2):
        torch.testing.assert_close(varied.samples_bs[view], tone(440) * 2**0.5, atol=1e-3, rtol=0)
    assert not torch.equal(varied.samples_bs[1], varied.samples_bs[3])
    assert (varied.samples_bs[[1, 3], RATE_HZ // 2 :] == 0).all()


def test_recordings_are_normalised_as_the_services_do_it() -> None:
    made = heard(0.2 * tone(300) + 0.1, 0.01 * tone(500, 0.4))
    found = normalised(made)
    for row, length, before in zip(found.samples_bs, made.lengths, made.samples_bs, strict=True):
        wanted = normalise_waveform(before[:length].numpy())
        torch.testing.assert_close(row[:length], torch.from_numpy(wanted), atol=1e-4, rtol=1e-4)
        assert (row[length:] == 0).all()


@pytest.mark.parametrize("seed", range(40))
def test_noise_has_the_length_asked_for_and_stays_within_the_scale(seed: int) -> None:
    count = 1000 + 977 * seed
    noise = artificial_noise(count, np.random.default_rng(seed))
    assert noise.shape == (count,)
    assert np.isfinite(noise).all()
    assert np.abs(noise).max() <= 1.0 + 1e-6


def test_a_bank_of_noise_changes_while_it_is_used() -> None:
    noises, random = bank(), np.random.default_rng(2)
    first = noises.windows(4, 800, np.random.default_rng(7))
    for _ in range(16):
        noises.refresh(random)
    second = noises.windows(4, 800, np.random.default_rng(7))
    assert first.shape == second.shape == (4, 800)
    assert not torch.equal(first, second)


def test_another_microphone_changes_the_balance_and_not_the_time() -> None:
    both = (tone(300) + tone(5000))[None]
    changed = coloured(both, np.random.default_rng(4))
    assert changed.shape == both.shape
    low, high = (float(torch.fft.rfft(changed[0]).abs()[hertz]) for hertz in (300, 5000))
    assert abs(20 * np.log10(low / high)) > 1.0
    click = torch.zeros(1, RATE_HZ)
    click[0, 8000] = 1.0
    assert int(coloured(click, np.random.default_rng(4)).abs().argmax()) == 8000
