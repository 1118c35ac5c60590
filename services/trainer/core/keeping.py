"""Keeps a run in checkpoints, and takes it up again from the newest that is whole."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pydantic import TypeAdapter, ValidationError
from torch import Tensor

from services.trainer.core.checkpoints import CheckpointFolder, StoredCheckpoint
from services.trainer.core.course import Course
from services.trainer.core.messages import Kept, Message, Notice
from services.trainer.core.meter import Meter, MeterState
from services.trainer.core.optimising import Optimiser
from services.trainer.core.randomness import RandomStates, put_back, random_states
from thanosql_ctc.families import CtcModel

_MODEL, _BEST, _OPTIMISER, _RANDOM = "model.", "best.", "optimiser.", "random."


class StoppedError(Exception):
    """The process was asked to end; where it stands is kept."""


@dataclass(frozen=True, kw_only=True)
class _State:
    """Everything of a checkpoint that is no tensor; `rows` is the digest of what is learned from."""

    rows: str
    steps: int
    course: Course
    meter: MeterState
    random: RandomStates


@dataclass(frozen=True, kw_only=True, eq=False)
class Resumed:
    """Where a run goes on; `best_weights` are empty where the model holds them, or where there are none."""

    course: Course
    best_weights: Mapping[str, Tensor]


class Keeper:
    """Writes a checkpoint when it is time; what cannot be written is said, and stops nothing.

    Args:
        folder: Of the checkpoints.
        model: Its weights are kept, and put back.
        optimiser: As the model.
        meter: As the model.
        rows: Digest of the rows; a checkpoint of others is not used.
        interval_s: Longest time between two checkpoints, apart from one step.
        tell: Receives messages for the parent.
        stopping: Tells whether the process was asked to end.
        clock: Seconds that only grow.
    """

    def __init__(  # noqa: PLR0913 - the parts of one run, each given by name
        self,
        folder: CheckpointFolder,
        *,
        model: CtcModel,
        optimiser: Optimiser,
        meter: Meter,
        rows: str,
        interval_s: float,
        tell: Callable[[Message], None],
        stopping: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._model = model
        self._optimiser = optimiser
        self._meter = meter
        self._rows = rows
        self._interval_s = interval_s
        self._tell = tell
        self._stopping = stopping
        self._clock = clock
        self._seen_s = self._tried_s = clock()
        self._kept_steps = 0
        self._states = TypeAdapter(_State)

    def resume(self) -> Resumed | None:
        """Put everything back as the newest whole checkpoint has it; None where there is none."""
        stored, problems = self._folder.read()
        state = self._state(stored, problems) if stored is not None else None
        for problem in problems:
            what_then = "the one before is used" if state else "training begins anew"
            self._tell(Notice(message=f"{problem}; {what_then}"))
        if stored is None or state is None:
            return None
        self._put_back(state, stored.tensors)
        self._tell(Notice(message=f"training goes on from step {state.steps}, epoch {state.course.epoch}"))
        return Resumed(course=state.course, best_weights=_part(stored.tensors, _BEST))

    def after_step(self, course: Course, best_weights: Mapping[str, Tensor]) -> None:
        """Keep the run where it is time to.

        Raises:
            StoppedError: The process was asked to end.
        """
        stopping = self._stopping()
        if stopping or self._clock() - self._tried_s >= self._interval_s:
            self.keep(course, best_weights)
        if stopping:
            raise StoppedError

    def keep(self, course: Course, best_weights: Mapping[str, Tensor]) -> None:
        """Write a checkpoint."""
        begun_s = self._clock()
        course.seconds += begun_s - self._seen_s
        course.checkpoints += 1
        random, random_tensors = random_states()
        steps, optimiser_tensors = self._optimiser.state()
        state = _State(rows=self._rows, steps=steps, course=course, meter=self._meter.state(), random=random)
        tensors = {
            **_named(_MODEL, self._model.state_dict()),
            **_named(_BEST, {} if course.newest_is_best else best_weights),
            **_named(_OPTIMISER, optimiser_tensors),
            **_named(_RANDOM, random_tensors),
        }
        self._write(tensors, state)
        self._seen_s = self._tried_s = self._clock()
        course.checkpoint_s += self._tried_s - begun_s
        course.seconds += self._tried_s - begun_s

    def notify(self, message: str) -> None:
        """Tell the parent what befell the run without ending it."""
        self._tell(Notice(message=message))

    def seconds(self, course: Course) -> float:
        """What the run has taken, in all its processes."""
        return course.seconds + self._clock() - self._seen_s

    def _write(self, tensors: Mapping[str, Tensor], state: _State) -> None:
        try:
            self._folder.write(tensors, self._states.dump_json(state))
        except OSError as failure:
            since = f"from step {self._kept_steps}" if self._kept_steps else "from the beginning"
            message = (
                f"the checkpoint at step {state.steps} could not be written ({failure}); training continues,"
                f" and would be resumed {since}: make room on the disk of the trainer's jobs"
            )
            self._tell(Notice(message=message))
        else:
            self._kept_steps = state.steps
            self._tell(Kept(step=state.steps))

    def _state(self, stored: StoredCheckpoint, problems: list[str]) -> _State | None:
        try:
            state = self._states.validate_json(stored.state)
        except ValidationError as failure:
            problems.append(f"the checkpoint is of another version ({failure.error_count()} fields differ)")
            return None
        if state.rows != self._rows:
            problems.append("the checkpoint was made from other rows")
            return None
        return state

    def _put_back(self, state: _State, tensors: Mapping[str, Tensor]) -> None:
        self._model.load_state_dict(_part(tensors, _MODEL))
        self._optimiser.put_back(state.steps, _part(tensors, _OPTIMISER))
        self._meter.put_back(state.meter)
        put_back(state.random, _part(tensors, _RANDOM))
        self._kept_steps = state.steps


def _named(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {prefix + name: tensor.detach().to("cpu").contiguous() for name, tensor in tensors.items()}


def _part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): tensor for name, tensor in tensors.items() if name.startswith(prefix)}
