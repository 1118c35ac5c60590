"""The training process: `python -m services.trainer.core.worker <job folder>`.

Reads its order from the folder, tells its parent what happens by lines on standard output, leaves the model
in the folder. It ends when its parent does: the end of standard input is the sign. Started again in the same
folder it goes on from the newest checkpoint.
"""

import fcntl
import os
import random
import signal
import sys
from pathlib import Path

import numpy as np
import torch

from services.trainer.core.child_process import (
    Tell,
    beat,
    claim_stdout,
    end_with_parent,
    log_to_stderr,
    teller,
)
from services.trainer.core.keeping import StoppedError
from services.trainer.core.memory import is_out_of_memory
from services.trainer.core.messages import Failed
from services.trainer.core.spec import STOPPED_STATUS, WorkerSettings, WorkerSpec, read_spec
from services.trainer.core.training import Training
from thanosql_objects.opening import open_objects
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, ThanosqlError

_LOCK_FILE = "lock"


class StopSign:
    """SIGTERM: the process ends at once, or where it has begun to learn, after its next checkpoint."""

    def __init__(self) -> None:
        self._asked = False
        self._learning = False
        signal.signal(signal.SIGTERM, self._ask)

    def seen(self) -> bool:
        """Whether somebody asked; who looks will keep what is worth keeping."""
        self._learning = True
        return self._asked

    def _ask(self, _number: int, _frame: object) -> None:
        if not self._learning:
            os._exit(STOPPED_STATUS)
        self._asked = True


def main(folder: Path) -> int:
    """Carry out the order in the folder; the answer is the exit status."""
    messages = claim_stdout()
    end_with_parent()
    log_to_stderr()
    sign = StopSign()
    spec = read_spec(folder)
    tell = teller(messages)
    beat(tell, spec.settings.heartbeat_s)
    with (folder / _LOCK_FILE).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a process that was given up may take a moment to end
        return _train(folder, spec, tell, sign)


def _train(folder: Path, spec: WorkerSpec, tell: Tell, sign: StopSign) -> int:
    _set_up(spec.settings)
    try:
        Training(folder, spec, open_objects(ObjectSettings()).workspace, tell, sign.seen).run()
    except StoppedError:
        return STOPPED_STATUS
    except ThanosqlError as failure:
        tell(Failed(reason=failure.reason.value, message=failure.message))
        return 1
    except (MemoryError, RuntimeError) as failure:
        if not is_out_of_memory(failure):
            raise
        message = "memory ran out; try again with a smaller batch_size"
        tell(Failed(reason=Reason.TRAINING_FAILED.value, message=message))
        return 1
    return 0


def _set_up(settings: WorkerSettings) -> None:
    """Be polite, and be the same for the same seed."""
    os.nice(settings.nice)
    torch.set_num_threads(settings.threads or os.cpu_count() or 1)
    random.seed(settings.seed)
    np.random.seed(settings.seed)  # the masks of transformers draw from this one
    torch.manual_seed(settings.seed)


if __name__ == "__main__":
    status = main(Path(sys.argv[1]))
    sys.stderr.flush()
    os._exit(status)  # at once: threads and libraries have nothing left to do
