"""A decoding process: `python -m services.predictor.core.decoding.beam.worker`.

Decoding holds Python's lock for most of its time, so that in the server it would stop every other caller. It
reads orders from standard input, answers each on standard output, and ends when its parent does, also amid an
order: the end of standard input is the sign. It runs at a lower priority than the server, whose models
compute beside it.
"""

import errno
import gzip
import json
import os
import sys
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from queue import SimpleQueue
from typing import Any, BinaryIO, TypeVar, cast

import numpy as np

from services.predictor.core.decoding.beam import compiled
from services.predictor.core.decoding.beam.arpa import ArpaReader
from services.predictor.core.decoding.beam.decoder import BeamDecoder
from services.predictor.core.decoding.beam.fusion import Fusion, LanguageModel
from services.predictor.core.decoding.beam.hotwords import build_hotwords
from services.predictor.core.decoding.beam.lexicon import build_lexicon
from services.predictor.core.decoding.beam.orders import (
    HEADER,
    Answer,
    CompileOrder,
    DecoderOrder,
    failure_out,
    hypotheses_out,
    pack,
    read_compile_order,
    read_decoder_order,
)
from thanosql_runtime.errors import Reason, ThanosqlError, error

_KEPT = 4
_NICENESS = 5
_GZIP = b"\x1f\x8b"
_FULL = (errno.ENOSPC, errno.EDQUOT)
_T = TypeVar("_T")


class Worker:
    """Carries out orders, one at a time; keeps the decoders and language models that were used last."""

    def __init__(self) -> None:
        self._models: OrderedDict[str, LanguageModel] = OrderedDict()
        self._decoders: OrderedDict[str, BeamDecoder] = OrderedDict()

    def answer(self, content: dict[str, Any], array: bytes) -> Answer:
        """Carry out one order; failures are answers too. Any: json."""
        try:
            if content["kind"] == "compile":
                compile_model(read_compile_order(content["order"]))
                return {}, b""
            log_probs_fv = np.frombuffer(array, dtype=np.float32).reshape(content["shape"])
            return hypotheses_out(self._decoder(content).decode(log_probs_fv))
        except ThanosqlError as failure:
            return failure_out(failure), b""
        except MemoryError:
            return failure_out(error(Reason.OVERLOADED, "there was not enough memory to decode with")), b""
        except OSError as problem:
            return failure_out(_about_files(problem)), b""
        except Exception as failure:  # noqa: BLE001 - told to the parent, which fails this row alone
            message = f"the decoding process failed unexpectedly ({type(failure).__name__}: {failure})"
            return failure_out(error(Reason.INTERNAL, message)), b""

    def _decoder(self, content: dict[str, Any]) -> BeamDecoder:
        order = content["order"]
        return _kept(self._decoders, content["digest"], lambda: self._build(read_decoder_order(order)))

    def _build(self, order: DecoderOrder) -> BeamDecoder:
        folder, vocabulary = order.model_folder, order.vocabulary
        model = _kept(self._models, folder, lambda: compiled.load(Path(folder))) if folder else None
        phrases = {word.labels: word.weight for word in order.hotwords}
        hotwords = build_hotwords(phrases, vocabulary) if phrases else None
        return BeamDecoder(vocabulary, Fusion(vocabulary, order.weights, model, hotwords), order.size)


def compile_model(order: CompileOrder) -> None:
    """Read a language model into arrays.

    Raises:
        ThanosqlError: INVALID_DATA or UNSUPPORTED_FORMAT, with the line and what is wrong there.
    """
    path = Path(order.path)
    with path.open("rb") as plain:
        compressed = plain.read(len(_GZIP)) == _GZIP
        plain.seek(0)
        size_bytes = order.max_bytes if compressed else path.stat().st_size
        file = cast(BinaryIO, gzip.GzipFile(fileobj=plain)) if compressed else plain
        try:
            read = ArpaReader(file, min(size_bytes, order.max_bytes), order.max_ngrams).read()
        except (EOFError, zlib.error, gzip.BadGzipFile) as failure:
            raise error(Reason.INVALID_DATA, f"it cannot be decompressed ({failure})") from failure
    lexicon = build_lexicon(read.ngrams, read.words, order.vocabulary)
    if not len(lexicon.hashes):
        example = next((word for word in read.words if not word.startswith("<")), "")
        message = f"the recogniser's letters spell none of its words, such as {example!r}"
        raise error(Reason.TEXT_OUTSIDE_VOCABULARY, message)
    compiled.save(Path(order.folder), LanguageModel(ngrams=read.ngrams, lexicon=lexicon))


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Carry out orders; ends the process where they end."""
    orders: SimpleQueue[tuple[bytes, bytes]] = SimpleQueue()
    threading.Thread(target=_listen, args=(requests, orders), daemon=True).start()
    worker = Worker()
    while True:
        text, array = orders.get()
        answer = pack(*worker.answer(json.loads(text), array))
        del text, array
        answers.write(answer)
        answers.flush()


def _listen(requests: BinaryIO, orders: "SimpleQueue[tuple[bytes, bytes]]") -> None:
    """Read orders; their end ends the process at once, whatever it does: nobody waits for it any more."""
    try:
        while header := requests.read(HEADER.size):
            text_bytes, array_bytes = HEADER.unpack(header)
            orders.put((requests.read(text_bytes), requests.read(array_bytes)))
    finally:
        os._exit(0)


def _about_files(problem: OSError) -> ThanosqlError:
    # NumPy tells a write that fell short without a number.
    room = "; make room on the server's disk" if problem.errno in (None, *_FULL) else ""
    message = f"the server's disk did not read or write what it should: {problem.strerror or problem}{room}"
    return error(Reason.STORE_UNAVAILABLE, message)


def _kept(places: OrderedDict[str, _T], key: str, make: Callable[[], _T]) -> _T:
    """What is there under a key, made where it is not; the least recently used goes."""
    if key not in places:
        places[key] = make()
        while len(places) > _KEPT:
            places.popitem(last=False)
    places.move_to_end(key)
    return places[key]


def main() -> None:
    """Serve on standard input and output, which nothing else may write to."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    os.nice(_NICENESS)
    try:
        serve(sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(0)  # the parent is gone


if __name__ == "__main__":
    main()
