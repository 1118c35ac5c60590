"""From hypotheses to words with times and confidence."""

from collections.abc import Sequence

from services.predictor.core.decoding.confidence import frame_entropies, word_confidences
from services.predictor.core.decoding.letters import find_words
from services.predictor.core.decoding.timing import Pauses, Timeline, place_words
from services.predictor.core.decoding.types import Hypothesis, LogProbabilities, Reading, SpokenWord
from thanosql_ctc.vocabulary import Vocabulary
from thanosql_ctc.waveform import Samples


def read(
    hypotheses: Sequence[Hypothesis],
    log_probs_fv: LogProbabilities,
    vocabulary: Vocabulary,
    samples: Samples,
    timeline: Timeline,
) -> list[Reading]:
    """Tell hypotheses as texts, and where each of their words was said.

    Args:
        hypotheses: The best first.
        log_probs_fv: What they were decoded from.
        vocabulary: What labels mean.
        samples: The recording, without margins.
        timeline: Where frames lie in it.
    """
    entropies_f = frame_entropies(log_probs_fv)
    pauses = Pauses(samples, timeline.sample_rate_hz)
    readings = []
    for hypothesis in hypotheses:
        words = find_words(hypothesis.labels, vocabulary)
        places = place_words(words, timeline, pauses)
        confidences = word_confidences(words, entropies_f)
        spoken = [
            SpokenWord(text=word.text, start_s=start_s, end_s=end_s, confidence=confidence)
            for word, (start_s, end_s), confidence in zip(words, places, confidences, strict=True)
        ]
        text = vocabulary.decode([label.label for label in hypothesis.labels])
        sure = sum(confidences) / len(confidences) if confidences else None
        readings.append(Reading(text=text, words=spoken, confidence=sure))
    return readings
