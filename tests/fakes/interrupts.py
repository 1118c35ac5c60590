"""Interrupts that strike at a chosen step of the main thread, or while it waits."""

import dis
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import thanosql

CLIENT = str(Path(thanosql.__file__).parent)

# After these the interpreter looks whether a signal has come; nowhere else can an interrupt strike.
_LOOKING = {"CALL", "CALL_FUNCTION_EX", "RESUME", "JUMP_BACKWARD"}


class Interrupt:
    """Ctrl-C at the n-th step at which it can strike in files below a folder."""

    def __init__(self, step: int, folder: str = CLIENT) -> None:
        self._left = step
        self._folder = folder
        self._steps: dict[CodeType, frozenset[int]] = {}

    @property
    def struck(self) -> bool:
        """False where the code ended sooner."""
        return self._left <= 0

    @contextmanager
    def armed(self, *, at_once: bool = True) -> Iterator[None]:
        """Count the steps of what is called in the block, or only those that come after `arm`."""
        before = sys.gettrace()
        if at_once:
            sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(before)

    def arm(self) -> None:
        """Count from here on, in the callers too; inside `armed(at_once=False)`."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None:
            self._enter(frame)
            frame = frame.f_back
        sys.settrace(self._enter)

    # Any: the argument of a trace function, which is of no interest here.
    def _enter(self, frame: FrameType, *_event: Any) -> "Callable[..., Any] | None":
        if not frame.f_code.co_filename.startswith(self._folder):
            return None
        frame.f_trace, frame.f_trace_lines, frame.f_trace_opcodes = self._step, False, True
        return self._step

    def _step(self, frame: FrameType, event: str, _argument: Any) -> "Callable[..., Any]":
        if event == "opcode" and self._left > 0 and frame.f_lasti in self._steps_of(frame.f_code):
            self._left -= 1
            if self._left == 0:
                signal.raise_signal(signal.SIGINT)
        return self._step

    def _steps_of(self, code: CodeType) -> frozenset[int]:
        if code not in self._steps:
            pairs = pairwise(dis.get_instructions(code))
            self._steps[code] = frozenset(
                after.offset for before, after in pairs if before.opname in _LOOKING
            )
        return self._steps[code]


def interrupt_main_thread() -> None:
    """What Ctrl-C does, from any thread and while the main one waits."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
