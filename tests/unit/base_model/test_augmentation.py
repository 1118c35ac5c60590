"""Speech stays speech however it is varied, and noise is never empty of surprises or of numbers."""

import numpy as np
import pytest

from scripts.base_model.augment import (
    Augmenter,
    Chances,
    artificial_noise,
    coloured,
    in_room,
    resped,
)

RATE_HZ = 16_000


def tone(hertz: float, seconds: float = 1.0) -> np.ndarray:
    return np.sin(2 * np.pi * hertz * np.arange(int(seconds * RATE_HZ)) / RATE_HZ).astype(np.float32)


def loudest_hertz(samples: np.ndarray) -> float:
    return float(np.abs(np.fft.rfft(samples)).argmax() * RATE_HZ / len(samples))


@pytest.mark.parametrize("seed", range(30))
def test_variation_is_finite_repeatable_and_of_about_the_same_length(seed: int) -> None:
    augmenter = Augmenter([tone(50, 0.3)])
    once, again = (augmenter.vary(tone(440), 2, np.random.default_rng(seed)) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    for view in once:
        assert view.dtype == np.float32
        assert np.isfinite(view).all()
        assert 1 / 1.17 < len(view) / RATE_HZ < 1 / 0.85


def test_views_differ_in_where_they_are_heard_and_not_in_how_fast() -> None:
    augmenter = Augmenter([], Chances(speed=1, colour=1, room=0, telephone=0, noise=0))
    one, other = augmenter.vary(tone(440), 2, np.random.default_rng(3))
    assert loudest_hertz(one) == loudest_hertz(other)
    assert len(one) == len(other)
    assert not np.array_equal(one, other)


def test_playing_faster_raises_the_pitch_and_shortens() -> None:
    faster = resped(tone(400), 1.25)
    assert len(faster) == int(RATE_HZ / 1.25)
    assert loudest_hertz(faster) == pytest.approx(500, rel=0.01)


def test_a_room_adds_an_echo_after_the_sound_and_nothing_before_it() -> None:
    clap = np.zeros(RATE_HZ, np.float32)
    clap[4000] = 1.0
    heard = in_room(clap, np.random.default_rng(1))
    assert np.abs(heard[:3990]).max() < 1e-5
    assert heard[4000] == pytest.approx(1.0, abs=1e-3)
    assert np.sqrt(np.sum(heard[4040:] ** 2)) > 0.1


def test_added_noise_lies_within_the_levels_asked_for() -> None:
    always = Chances(
        speed=0, colour=0, room=0, telephone=0, noise=1, loudest_noise_db=10, quietest_noise_db=20
    )
    speech = tone(440, 2.0)
    for seed in range(20):
        (heard,) = Augmenter([], always).vary(speech, 1, np.random.default_rng(seed))
        added = heard - speech
        power = float(np.mean(added.astype(np.float64) ** 2))
        if power < 1e-9:
            continue  # digital silence is one of the noises
        level_db = 10 * np.log10(np.mean(speech.astype(np.float64) ** 2) / power)
        assert 9.9 < level_db < 20.1


def test_telephone_takes_the_high_tones_away() -> None:
    line = Augmenter([], Chances(speed=0, colour=0, room=0, telephone=1, noise=0))
    (heard,) = line.vary(tone(6000), 1, np.random.default_rng(1))
    assert np.sqrt(np.mean(heard**2)) < 0.05
    (kept,) = line.vary(tone(1000), 1, np.random.default_rng(1))
    assert np.sqrt(np.mean(kept**2)) > 0.6


@pytest.mark.parametrize("seed", range(40))
def test_noise_has_the_length_asked_for_and_stays_within_the_scale(seed: int) -> None:
    count = 1000 + 977 * seed
    noise = artificial_noise(count, np.random.default_rng(seed))
    assert noise.shape == (count,)
    assert np.isfinite(noise).all()
    assert np.abs(noise).max() <= 1.0 + 1e-6


def test_another_microphone_changes_the_balance_and_not_the_time() -> None:
    both = tone(300) + tone(5000)
    heard = coloured(both, np.random.default_rng(4))
    assert heard.shape == both.shape
    low, high = (float(np.abs(np.fft.rfft(heard))[hertz]) for hertz in (300, 5000))
    assert abs(20 * np.log10(low / high)) > 1.0
    click = np.zeros(RATE_HZ, np.float32)
    click[8000] = 1.0
    assert np.abs(coloured(click, np.random.default_rng(4))).argmax() == 8000
