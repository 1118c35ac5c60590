"""Transcripts that are kept belong to the search that made them."""

from services.predictor.convert import to_manner
from services.predictor.core.decoding.beam.decoder import BeamSize
from services.predictor.core.decoding.beam.decoding import Beam
from services.predictor.core.decoding.beam.fusion import FusionWeights
from services.predictor.core.decoding.beam.orders import DecoderOrder
from services.predictor.core.decoding.beam.processes import DecodingProcesses
from tests.fakes.predictor_checkpoints import tiny_vocabulary
from tests.unit.predictor.test_transcription import tiny
from thanosql.v1 import predictor_pb2, types_pb2


def beam_of(folder: str) -> Beam:
    order = DecoderOrder(
        vocabulary=tiny_vocabulary(), size=BeamSize(), weights=FusionWeights(), model_folder=folder
    )
    return Beam(DecodingProcesses(most=1, max_waiting=1), order)


async def test_a_transcript_depends_on_what_the_language_model_says_and_not_on_where_it_is() -> None:
    model = tiny()

    def config_of(path: str) -> predictor_pb2.TranscribeConfig:
        search = types_pb2.BeamSearch(language_model=path, lm_weight=0.5, beam_width=64)
        return predictor_pb2.TranscribeConfig(model="tiny", beam_search=search)

    config = config_of("lm/a.arpa")
    before = to_manner(config, model, beam_of("/cache/content-of-yesterday"))
    assert to_manner(config, model, beam_of("/elsewhere/content-of-yesterday")) == before
    moved = config_of("lm/moved.arpa")
    assert to_manner(moved, model, beam_of("/cache/content-of-yesterday")) == before
    assert to_manner(config, model, beam_of("/cache/content-of-today")) != before


async def test_a_transcript_depends_on_every_option_of_the_search() -> None:
    model = tiny()
    searches = [
        None,
        types_pb2.BeamSearch(beam_width=64),
        types_pb2.BeamSearch(beam_width=32),
        types_pb2.BeamSearch(beam_width=64, word_score=1),
        types_pb2.BeamSearch(beam_width=64, hotwords=[types_pb2.Hotword(phrase="a", weight=1)]),
        types_pb2.BeamSearch(beam_width=64, hotwords=[types_pb2.Hotword(phrase="a", weight=2)]),
    ]
    configs = [predictor_pb2.TranscribeConfig(model="tiny", beam_search=search) for search in searches]
    manners = {
        to_manner(config, model, beam_of("") if config.HasField("beam_search") else None).digest
        for config in configs
    }
    assert len(manners) == len(searches)
