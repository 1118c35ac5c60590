"""Which decoder gives what was asked for."""

from services.predictor.core.decoding.greedy import GreedyDecoder
from services.predictor.core.decoding.n_best import NBestDecoder
from services.predictor.core.decoding.ports import Decoder
from services.predictor.core.decoding.types import Detail
from thanosql_ctc.vocabulary import Vocabulary


def decoder_for(detail: Detail, vocabulary: Vocabulary) -> Decoder:
    """The fastest decoder that has as many readings."""
    if detail.n_best == 1:
        return GreedyDecoder(vocabulary.blank_id)
    return NBestDecoder(vocabulary, detail.n_best)
