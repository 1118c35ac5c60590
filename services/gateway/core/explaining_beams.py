"""EXPLAIN of a beam search: everything it needs is made ready, and told."""

from services.gateway.core.plans import BeamSearch, Evaluate, Predict
from services.gateway.core.run import Run, count_of
from services.gateway.core.transcribing import check_transcription


async def explained_beam(run: Run, statement: Predict | Evaluate) -> str:
    """How labels become text, in words; empty where no search is asked for.

    Raises:
        ThanosqlError: What the statement itself would fail with: its language model is read, its hotwords
            are spelled.
    """
    beam = statement.beam
    if beam is None:
        return ""
    await check_transcription(run, statement)
    return f" by a search of {_in_words(beam)}"


def _in_words(beam: BeamSearch) -> str:
    parts = [count_of(beam.beam_width, "text")]
    if beam.language_model:
        parts.append(f"language model '{beam.language_model}' with weight {beam.lm_weight:g}")
    if beam.word_score:
        parts.append(f"word score {beam.word_score:g}")
    if beam.hotwords:
        parts.append(count_of(len(beam.hotwords), "hotword"))
    return ", ".join(parts)
