"""Interrupts that strike at a chosen step of the main thread, or while it waits."""

import dis
import itertools
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import thanosql

CLIENT = str(Path(thanosql.__file__).parent)

_CALLS = frozenset({"CALL", "CALL_FUNCTION_EX", "CALL_KW"})


class Interrupt:
    """Ctrl-C at the n-th step at which it can strike in files below a folder."""

    def __init__(self, step: int, folder: str = CLIENT) -> None:
        self._left = step
        self._folder = folder
        self._looking: dict[CodeType, frozenset[int]] = {}

    @property
    def struck(self) -> bool:
        """False where the code ended sooner."""
        return self._left <= 0

    @contextmanager
    def armed(self, *, at_once: bool = True) -> Iterator[None]:
        """Count the steps of what is called in the block, or only those that come after `arm`."""
        before = sys.gettrace()
        sys._getframe().f_trace_opcodes = True  # without one such frame Python 3.12 traces no opcodes
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
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        frame.f_trace = partial(self._step, True)  # the interpreter looks on entering and on returning
        return frame.f_trace

    def _step(self, looked: bool, frame: FrameType, event: str, _argument: Any) -> "Callable[..., Any]":
        if event != "opcode":
            return partial(self._step, False)  # on the way to an exception's handler it does not look
        if looked and self._left > 0:
            self._left -= 1
            if self._left == 0:
                signal.raise_signal(signal.SIGINT)
        return partial(self._step, frame.f_lasti in self._looking_of(frame.f_code))

    def _looking_of(self, code: CodeType) -> frozenset[int]:
        if code not in self._looking:
            instructions = dis.get_instructions(code)
            self._looking[code] = frozenset(each.offset for each in instructions if _looks(each.opname))
        return self._looking[code]


def _looks(opname: str) -> bool:
    """True where the interpreter then looks whether a signal has come; only there interrupts strike."""
    return opname in _CALLS or ("JUMP_BACKWARD" in opname and "NO_INTERRUPT" not in opname)


def interrupts_at_every_step(folder: str = CLIENT) -> Iterator[Interrupt]:
    """One for each step, until a few in a row come too late: the number of steps varies with the timing."""
    late = 0
    for step in itertools.count(1):
        interrupt = Interrupt(step, folder)
        yield interrupt
        late = 0 if interrupt.struck else late + 1
        if late == 3:
            return


def interrupt_main_thread() -> None:
    """What Ctrl-C does, from any thread and while the main one waits."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
