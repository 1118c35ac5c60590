"""The same words for terminal and notebook: progress, scores and models as short texts."""

from typing import Any

from thanosql.values import Job, Model, Progress, Scores

Facts = list[tuple[str, str]]

_NUMBERS_SHOWN = 3


def progress_facts(progress: Progress) -> list[str]:
    """What is known about a progress, most important first."""
    facts = [_amount(progress)]
    if progress.audio_s is not None:
        facts.append(_audio(progress.audio_s, progress.audio_total_s))
    if progress.epoch is not None:
        of = f"/{progress.epoch_total}" if progress.epoch_total else ""
        facts.append(f"epoch {progress.epoch}{of}")
    if progress.loss is not None:
        facts.append(f"loss {progress.loss:.3f}")
    if progress.wer is not None:
        facts.append(f"WER {percent(progress.wer)}")
    if progress.seconds_left is not None:
        facts.append(f"{duration(progress.seconds_left)} left")
    return [fact for fact in facts if fact]


def cell(value: object) -> str:
    """A value of a row as people read it: nothing for NULL, embeddings and words by the first of them."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4f}"
    if isinstance(value, list) and len(value) > _NUMBERS_SHOWN and isinstance(value[0], float):
        shown = ", ".join(cell(number) for number in value[:_NUMBERS_SHOWN])
        return f"[{shown}, ... {len(value)} numbers]"
    if isinstance(value, list) and value and all(isinstance(one, dict) and "text" in one for one in value):
        return _words(value) if "start_s" in value[0] else " | ".join(str(one["text"]) for one in value)
    return str(value)


# Any: the cells of a struct.
def _words(words: list[dict[str, Any]]) -> str:
    shown = ", ".join(f"{word['text']} {word['start_s']:.2f}" for word in words[:_NUMBERS_SHOWN])
    return f"{shown}, ... {len(words)} words" if len(words) > _NUMBERS_SHOWN else shown


def score_facts(scores: Scores) -> Facts:
    """The lines of an EVALUATE."""
    return [
        ("WER", _rate(scores.wer, scores.wer_low, scores.wer_high)),
        ("CER", _rate(scores.cer, scores.cer_low, scores.cer_high)),
        ("substitutions", str(scores.substitutions)),
        ("deletions", str(scores.deletions)),
        ("insertions", str(scores.insertions)),
        ("reference words", str(scores.reference_words)),
        ("rows", str(scores.rows)),
        ("rows left out", str(scores.rows_left_out)),
        ("audio", duration(scores.audio_s)),
        ("normaliser", scores.normaliser),
    ]


def model_facts(model: Model, job: Job | None = None) -> Facts:
    """The card of a model, with the run that made it where there is one."""
    facts = [
        ("model", f"{model.name}.{model.version}"),
        ("kind", model.kind),
        ("base", model.base),
        ("origin", model.origin),
    ]
    if job is not None and job.wer_before is not None:
        facts.append(("WER before", percent(job.wer_before)))
    facts += [(name, _metric(name, value)) for name, value in sorted(model.metrics.items())]
    facts.append(("built from", ", ".join(model.built_from)))
    facts += sorted(model.properties.items())
    return [(name, value) for name, value in facts if value]


def percent(rate: float) -> str:
    """A rate in per cent."""
    return f"{rate * 100:.1f} %"


def _rate(rate: float, low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return percent(rate)
    return f"{percent(rate)} ({low * 100:.1f} to {percent(high)})"


def duration(seconds: float) -> str:
    """A length of time as people say it: `0.8 s`, `45 s`, `3:05 min`, `2:10 h`."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"


def _amount(progress: Progress) -> str:
    done = f"{progress.done:,.0f}"
    total = f"/{progress.total:,.0f}" if progress.total else ""
    return f"{done}{total} {progress.unit}".strip()


def _audio(done_s: float, total_s: float | None) -> str:
    if total_s is None:
        return f"{duration(done_s)} of audio"
    return f"{duration(done_s)} of {duration(total_s)} of audio"


def _metric(name: str, value: float) -> str:
    return percent(value) if name.endswith(("wer", "cer")) else f"{value:.4g}"
