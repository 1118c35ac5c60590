"""Wires the predictor service."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import grpc
import torch

from services.predictor.convert_words import told_transcript
from services.predictor.core.acoustics import Hearing
from services.predictor.core.artefact_cache import ArtefactCache
from services.predictor.core.calibrating import Calibrator
from services.predictor.core.clock import SystemClock
from services.predictor.core.decoding.beam.decoding import BeamDecoding
from services.predictor.core.decoding.beam.language_models import LanguageModelLimits, LanguageModels
from services.predictor.core.decoding.beam.processes import DecodingProcesses
from services.predictor.core.engine_building import EngineBuilder, EngineChoice
from services.predictor.core.holding import ModelHolding
from services.predictor.core.kept_transcripts import KeptTranscripts
from services.predictor.core.live.limits import LiveLimits
from services.predictor.core.live.listening import Listener
from services.predictor.core.live.voice import VOICE_RATE_HZ, VoiceActivity, voice_weights
from services.predictor.core.loading import ModelLoader
from services.predictor.core.long_recordings import Cutting
from services.predictor.core.places import AnyModel
from services.predictor.core.preload import preload
from services.predictor.core.registry import ModelRegistry
from services.predictor.core.statistics import Statistics
from services.predictor.core.texts.loading import EncoderLoader
from services.predictor.core.torch_manner import EngineOptions
from services.predictor.core.transcription import Limits, Transcriber
from services.predictor.core.types import ModelFamily, ModelRecord
from services.predictor.core.whisper.loading import WhisperLoader
from services.predictor.peers import StorageCatalog, StorageTranscripts
from services.predictor.servicer import PredictorParts, PredictorServicer
from services.predictor.settings import PredictorSettings
from thanosql.v1 import predictor_pb2, predictor_pb2_grpc
from thanosql_objects.opening import Objects, open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_objects.workspace import Workspace
from thanosql_runtime.renewing import this_process
from thanosql_runtime.service import Authoriser, Context, Service

FULL_NAME = predictor_pb2.DESCRIPTOR.services_by_name["PredictorService"].full_name
_BYTES_PER_SAMPLE = 4


class PredictorApp:
    """The predictor as the composition root runs it."""

    def __init__(self, settings: PredictorSettings, context: Context, objects: Objects) -> None:
        self._settings = settings
        clock, statistics = SystemClock(), Statistics()
        cache = ArtefactCache(context.home / "predictor" / "models", objects.store, settings.cache_bytes)
        hearing, live_limits = _hearing(settings), _live_limits(settings)
        new_voice = partial(VoiceActivity, voice_weights())
        self._loader = ModelLoader(
            builder=EngineBuilder(
                cache, _engine_choice(settings), hearing, Calibrator(objects.workspace).speech
            ),
            hearing=hearing,
            clock=clock,
            statistics=statistics,
            cutting=Cutting(limits=live_limits, new_voice=new_voice, sample_rate_hz=VOICE_RATE_HZ),
        )
        self._encoder_loader = EncoderLoader(
            cache=cache,
            engine_options=replace(_engine_options(settings), dtype=_encoder_dtype(settings)),
            # One window of every text, so that a row of an admitted statement always finds a place.
            max_queue_size=settings.max_streams * settings.texts_in_flight,
            clock=clock,
            statistics=statistics,
        )
        self._whisper_loader = WhisperLoader(
            cache=cache,
            engine_options=_engine_options(settings),
            max_queue_size=settings.max_queue_size,
            silence_dbfs=settings.silence_dbfs,
            clock=clock,
            statistics=statistics,
        )
        catalog = StorageCatalog(context.channels, this_process("predictor"))
        self._holding = ModelHolding(
            catalog, context.stopping, partial(context.report_health, FULL_NAME, False)
        )
        self._registry = ModelRegistry(
            catalog=catalog,
            load=self._load,
            clock=clock,
            max_loaded_models=settings.max_loaded_models,
            holding=self._holding,
            settle_precision=self._loader.settle_precision,
            report=partial(_report_model, context),
        )
        self._transcriber = Transcriber(recordings=objects.workspace, limits=_limits(settings), clock=clock)
        self._transcripts = KeptTranscripts(
            StorageTranscripts(context.channels),
            told_transcript,
            context.stopping,
            partial(context.report_health, FULL_NAME, False),
        )
        self._beams = _beams(settings, context.home, objects.workspace)
        self._listener = Listener(live_limits, clock, context.stopping, new_voice)
        parts = PredictorParts(
            registry=self._registry,
            transcriber=self._transcriber,
            listener=self._listener,
            transcripts=self._transcripts,
            beams=self._beams,
            statistics=statistics,
        )
        self._servicer = PredictorServicer(parts, settings.default_timeout_s, settings.texts_in_flight)

    @property
    def full_name(self) -> str:
        """Name in health and reflection."""
        return FULL_NAME

    @property
    def authorise(self) -> Authoriser | None:
        """Only the other services may call."""
        return None

    def mount(self, server: grpc.aio.Server) -> None:
        """Add the servicer."""
        predictor_pb2_grpc.add_PredictorServiceServicer_to_server(self._servicer, server)

    async def start(self) -> None:
        """Load and warm the first model, so that SERVING means an answer at once."""
        self._holding.start()
        self._transcripts.start()
        if self._settings.preload:
            await preload(self._registry, self._settings.preload, self._settings.preload_timeout_s)

    async def stop(self) -> None:
        """Release models and threads; no call is in flight any more."""
        await self._transcripts.close()
        await self._registry.close()
        await self._holding.close()
        self._transcriber.close()
        await self._beams.close()
        self._listener.close()
        self._loader.close()
        self._encoder_loader.close()
        self._whisper_loader.close()

    async def _load(self, record: ModelRecord) -> AnyModel:
        if record.family is ModelFamily.TEXT_ENCODER:
            return await self._encoder_loader.load(record)
        if record.family is ModelFamily.WHISPER:
            return await self._whisper_loader.load(record)
        return await self._loader.load(record)


def build(settings: PredictorSettings, context: Context, objects: Objects | None = None) -> Service:
    """The predictor service.

    Args:
        settings: Its settings.
        context: What the root gives.
        objects: Where recordings and models are; opened from the settings of objects when not given.
    """
    if settings.threads:
        torch.set_num_threads(settings.threads)
    return PredictorApp(settings, context, objects or open_objects(ObjectSettings()))


def _report_model(context: Context, name: str, ready: bool) -> None:
    context.report_health(f"{FULL_NAME}/{name}", ready)


def _engine_choice(settings: PredictorSettings) -> EngineChoice:
    options = _engine_options(settings)
    engine = settings.engine
    if engine == "auto":
        engine = "openvino" if options.device == "cpu" else "torch"
    return EngineChoice(
        engine=engine,
        precision=settings.precision,
        options=options,
        int8_agreement=settings.int8_agreement,
    )


def _engine_options(settings: PredictorSettings) -> EngineOptions:
    device = settings.device
    if device == "auto":
        has_gpu = settings.engine != "openvino" and torch.cuda.is_available()
        device = "cuda" if has_gpu else "cpu"
    return EngineOptions(
        device=device,
        dtype=_torch_dtype(settings.precision, device),
        max_batch_size=settings.max_batch_size,
        max_queue_delay_s=settings.max_queue_delay_s,
        threads=torch.get_num_threads(),
    )


def _torch_dtype(precision: str, device: str) -> str:
    """What torch computes in, also where OpenVINO cannot be had."""
    if precision in {"float32", "bfloat16"}:
        return precision
    return "bfloat16" if device != "cpu" and torch.cuda.is_bf16_supported() else "float32"


def _encoder_dtype(settings: PredictorSettings) -> str:
    """Text encoders compute in bfloat16 only where that is asked for."""
    return "bfloat16" if settings.precision == "bfloat16" else "float32"


def _hearing(settings: PredictorSettings) -> Hearing:
    return Hearing(
        window_s=settings.window_s,
        overlap_s=settings.overlap_s,
        silence_dbfs=settings.silence_dbfs,
        windows_in_flight=settings.windows_in_flight,
        max_queue_size=settings.max_queue_size,
    )


def _limits(settings: PredictorSettings) -> Limits:
    return Limits(
        max_streams=settings.max_streams,
        max_calls=settings.max_calls,
        rows_in_flight=settings.rows_in_flight,
        decode_workers=settings.decode_workers,
        max_duration_s=settings.max_duration_s,
        decoded_samples=settings.decoded_bytes // _BYTES_PER_SAMPLE,
    )


def _beams(settings: PredictorSettings, home: Path, workspace: Workspace) -> BeamDecoding:
    processes = DecodingProcesses(most=settings.decoding_processes, max_waiting=settings.max_queue_size)
    limits = LanguageModelLimits(
        max_bytes=settings.max_language_model_bytes,
        max_ngrams=settings.max_ngrams,
        cache_bytes=settings.language_model_cache_bytes,
    )
    folder = home / "predictor" / "language_models"
    return BeamDecoding(processes, LanguageModels(folder, workspace, processes.compile, limits))


def _live_limits(settings: PredictorSettings) -> LiveLimits:
    return LiveLimits(
        max_streams=settings.max_live_streams,
        idle_s=settings.live_idle_s,
        endpoint_silence_s=settings.endpoint_silence_s,
        max_utterance_s=min(settings.max_utterance_s, settings.window_s),
        longest_utterance_s=settings.window_s,
        context_s=min(settings.live_context_s, settings.window_s),
        interim_interval_s=settings.interim_interval_s,
    )
