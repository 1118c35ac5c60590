"""Beam search for callers: what is asked for made ready once, then recordings decoded in other processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

from services.predictor.core.decoding.beam.decoder import BeamSize
from services.predictor.core.decoding.beam.fusion import FusionWeights
from services.predictor.core.decoding.beam.language_models import LanguageModels
from services.predictor.core.decoding.beam.options import BeamOptions, check, spell
from services.predictor.core.decoding.beam.orders import DecoderOrder
from services.predictor.core.decoding.beam.processes import DecodingProcesses
from services.predictor.core.decoding.types import Hypothesis, LogProbabilities
from thanosql_ctc.vocabulary import Vocabulary


class Beam:
    """Decodes the recordings of one stream or call.

    Args:
        processes: Where the work is done.
        order: What is asked for, checked and spelled.
    """

    def __init__(self, processes: DecodingProcesses, order: DecoderOrder) -> None:
        self._processes = processes
        self._order = order

    @property
    def language_model(self) -> str:
        """What tells its language model from every other one, by content; empty for none."""
        return Path(self._order.model_folder).name

    async def decode(self, log_probs_fv: LogProbabilities) -> list[Hypothesis]:
        """Give the hypotheses of a recording, the best first; fails as `DecodingProcesses.decode` does."""
        return await self._processes.decode(self._order, log_probs_fv)


class BeamDecoding:
    """Makes beams ready.

    Args:
        processes: Where the work is done.
        models: The language models of the workspace.
    """

    def __init__(self, processes: DecodingProcesses, models: LanguageModels) -> None:
        self._processes = processes
        self._models = models

    @asynccontextmanager
    async def opened(
        self, options: BeamOptions | None, vocabulary: Vocabulary, n_best: int = 1
    ) -> AsyncIterator[Beam | None]:
        """Check what is asked for, and read the language model where that was not done before.

        None is for who asks for no search.

        Raises:
            ThanosqlError: INVALID_ARGUMENT; TEXT_OUTSIDE_VOCABULARY for a hotword; what reading the language
                model raises.
        """
        if options is None:
            yield None
            return
        check(options)
        hotwords = await asyncio.to_thread(spell, options.hotwords, vocabulary)
        async with AsyncExitStack() as held:
            folder = ""
            if options.language_model:
                model = self._models.opened(options.language_model, vocabulary)
                folder = str(await held.enter_async_context(model))
            order = DecoderOrder(
                vocabulary=vocabulary,
                size=BeamSize(beam_width=options.beam_width, n_best=n_best),
                weights=FusionWeights(lm_weight=options.lm_weight, word_score=options.word_score),
                model_folder=folder,
                hotwords=hotwords,
            )
            yield Beam(self._processes, order)

    async def close(self) -> None:
        """End the processes and threads."""
        self._models.close()
        await self._processes.close()
