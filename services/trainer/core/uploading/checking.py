"""Looks at a checkpoint, as a process: `python -m services.trainer.core.uploading.checking <folder>`.

The files lie in `model/` of the folder. They are read, converted to safetensors where they have to be, and
the model is run; with `--texts` only what stands beside the weights is read. It tells its parent what the
model is, or why it cannot be used.
"""

import errno
import math
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import structlog
import torch
from safetensors import SafetensorError

from services.trainer.core.child_process import (
    beat,
    claim_stdout,
    end_with_parent,
    log_to_stderr,
    offer_itself,
    teller,
)
from services.trainer.core.memory import is_out_of_memory
from services.trainer.core.messages import Failed, Finished
from services.trainer.core.spec import MODEL_FOLDER
from services.trainer.core.uploading.pickled import convert_pickled
from thanosql_ctc.batch_invariant import batch_logits
from thanosql_ctc.checkpoint import Checkpoint, CheckpointFacts, load_checkpoint, load_facts
from thanosql_ctc.folders import invalid_checkpoint
from thanosql_ctc.waveform import normalise_waveform
from thanosql_runtime.errors import Reason, ThanosqlError

_log = structlog.get_logger("checking")

_HEARTBEAT_S = 5.0
_NICE = 5
_SECONDS = (2.0, 0.7)
_SEED = 0
_LONGEST_REASON = 300
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# Models have 50 to 100 frames a second; what a model takes grows with the square of them.
_MOST_FRAMES_HZ = 200.0
_TEXTS_ONLY = "--texts"


def describe(files: Path) -> Mapping[str, str]:
    """Read what stands beside the weights.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT.
    """
    facts = load_facts(files)
    _require_frames(files, facts)
    return _properties(facts)


def check(files: Path) -> Mapping[str, str]:
    """Load the checkpoint, run it, and say what it is; pickled weights become safetensors.

    Raises:
        ThanosqlError: INVALID_CHECKPOINT, with the reason.
    """
    properties = describe(files)
    convert_pickled(files)
    checkpoint = load_checkpoint(files)
    _require_running(files, checkpoint)
    count = sum(weight.numel() for weight in checkpoint.model.parameters())
    return {**properties, "parameters": str(count)}


def _require_frames(files: Path, facts: CheckpointFacts) -> None:
    frames_hz = facts.sample_rate_hz / math.prod(facts.config.conv_stride)
    if frames_hz > _MOST_FRAMES_HZ:
        problem = (
            f"conv_stride in config.json gives {frames_hz:.0f} frames a second;"
            f" {_MOST_FRAMES_HZ:.0f} is the most"
        )
        raise invalid_checkpoint(files, problem)


def _require_running(files: Path, checkpoint: Checkpoint) -> None:
    generator = np.random.default_rng(_SEED)
    lengths = [round(seconds * checkpoint.sample_rate_hz) for seconds in _SECONDS]
    noises = [generator.standard_normal(length).astype(np.float32) for length in lengths]
    sounds = [normalise_waveform(noise) for noise in noises] if checkpoint.do_normalize else noises
    for logits in batch_logits(checkpoint.model, sounds):
        if not bool(torch.isfinite(logits).all()):
            raise invalid_checkpoint(
                files, "it gives no numbers for noise: its weights are damaged, or too large"
            )


def _properties(facts: CheckpointFacts) -> Mapping[str, str]:
    return {
        "architecture": str(facts.config.model_type),
        "sample_rate_hz": str(facts.sample_rate_hz),
        "labels": str(len(facts.vocabulary)),
    }


def failed(failure: Exception) -> Failed:
    """Tell why: in the words of who raised it, without the places in the code that it went through."""
    if isinstance(failure, ThanosqlError):
        return Failed(reason=failure.reason.value, message=failure.message)
    first = (str(failure).splitlines() or [""])[0][:_LONGEST_REASON]
    if isinstance(failure, OSError | SafetensorError) and _is_full(failure):
        return Failed(reason=Reason.OVERLOADED.value, message=f"there is no room to check it: {first}")
    _log.warning("checkpoint cannot be run", exc_info=failure)
    why = "memory ran out" if is_out_of_memory(failure) else f"{type(failure).__name__}: {first}"
    message = f"the checkpoint cannot be run: {why}"
    return Failed(reason=Reason.INVALID_CHECKPOINT.value, message=message)


def _is_full(failure: OSError | SafetensorError) -> bool:
    """Whether the disk was full; safetensors has the number of the fault in its text alone."""
    if isinstance(failure, OSError) and failure.errno is not None:
        return failure.errno in _FULL
    return any(f"os error {number}" in str(failure) for number in _FULL)


def main(folder: Path, *, texts_only: bool) -> int:
    """Look at the checkpoint; the answer is the exit status."""
    messages = claim_stdout()
    end_with_parent()
    offer_itself()
    log_to_stderr()
    tell = teller(messages)
    beat(tell, _HEARTBEAT_S)
    os.nice(_NICE)
    try:
        files = folder / MODEL_FOLDER
        properties = describe(files) if texts_only else check(files)
    except Exception as failure:  # noqa: BLE001 - libraries raise what they like of a stranger's files
        tell(failed(failure))
        return 1
    tell(Finished(metrics={}, properties=properties))
    return 0


if __name__ == "__main__":
    status = main(Path(sys.argv[-1]), texts_only=_TEXTS_ONLY in sys.argv[1:-1])
    sys.stderr.flush()
    os._exit(status)  # at once: threads and libraries have nothing left to do
