"""The choices of the language as the contract numbers and writes them."""

from services.parser.core.plan_options import (
    BeamOptions,
    GetKind,
    IfExists,
    ListKind,
    MediaKind,
    Precision,
    SearchKind,
    SpeechTask,
)
from thanosql.v1 import parser_pb2, types_pb2

IF_EXISTS = {
    IfExists.FAIL: parser_pb2.IF_EXISTS_FAIL,
    IfExists.REPLACE: parser_pb2.IF_EXISTS_REPLACE,
    IfExists.APPEND: parser_pb2.IF_EXISTS_APPEND,
}
MEDIA_KINDS = {
    MediaKind.AUDIO: parser_pb2.MEDIA_KIND_AUDIO,
    MediaKind.IMAGE: parser_pb2.MEDIA_KIND_IMAGE,
    MediaKind.VIDEO: parser_pb2.MEDIA_KIND_VIDEO,
}
SPEECH_TASKS = {
    SpeechTask.TRANSCRIBE: parser_pb2.SPEECH_TASK_TRANSCRIBE,
    SpeechTask.TRANSLATE: parser_pb2.SPEECH_TASK_TRANSLATE,
}
PRECISIONS = {
    None: types_pb2.PRECISION_UNSPECIFIED,
    Precision.FLOAT32: types_pb2.PRECISION_FLOAT32,
    Precision.BFLOAT16: types_pb2.PRECISION_BFLOAT16,
    Precision.INT8: types_pb2.PRECISION_INT8,
}
SEARCH_KINDS = {
    SearchKind.AUDIO: parser_pb2.SEARCH_KIND_AUDIO,
    SearchKind.TEXT: parser_pb2.SEARCH_KIND_TEXT,
    SearchKind.KEYWORD: parser_pb2.SEARCH_KIND_KEYWORD,
}
LIST_KINDS = {
    ListKind.MODEL: parser_pb2.LIST_KIND_MODEL,
    ListKind.TABLE: parser_pb2.LIST_KIND_TABLE,
    ListKind.THANOSQL_MODEL: parser_pb2.LIST_KIND_THANOSQL_MODEL,
    ListKind.THANOSQL_DATASET: parser_pb2.LIST_KIND_THANOSQL_DATASET,
}
GET_KINDS = {
    GetKind.MODEL: parser_pb2.GET_KIND_MODEL,
    GetKind.DATASET: parser_pb2.GET_KIND_DATASET,
}


def beam_search(options: BeamOptions | None) -> types_pb2.BeamSearch | None:
    """How labels become text, each hotword with its weight; None for the best label of every frame."""
    if options is None:
        return None
    return types_pb2.BeamSearch(
        language_model=options.language_model or "",
        lm_weight=options.lm_weight,
        word_score=options.word_score,
        beam_width=options.beam_width,
        hotwords=[
            types_pb2.Hotword(
                phrase=item.phrase, weight=options.hotword_weight if item.weight is None else item.weight
            )
            for item in options.hotwords
        ],
    )
