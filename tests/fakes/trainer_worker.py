"""Stands in for the training process: does at once, or for ever, what the text of the first row asks for.

Run as a script with the job's folder; the messages are those of the real one.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pyarrow as pa


def main(folder: Path) -> int:
    with pa.OSFile(str(folder / "rows.arrow")) as file:
        table = pa.ipc.open_file(file).read_all()
    script = table.column("text").to_pylist()[0].split()
    for word in script:
        name, _, argument = word.partition(":")
        status: int | None = _ACTIONS[name](folder, argument)
        if status is not None:
            return status
    return 0


def _tell(**message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _rows(_folder: Path, argument: str) -> None:
    row = {"row": 3, "subject": "b.wav", "reason": "AUDIO_NOT_FOUND", "message": "no such file"}
    _tell(kind="rows", rows_used=int(argument), rows_held_out=1, rows_left_out=1, left_out=[row])


def _step(_folder: Path, argument: str) -> None:
    step = int(argument)
    _tell(kind="progress", state="TRAINING", step=step, step_total=9, epoch=1, epoch_total=1, loss=1 / step)


def _steps(folder: Path, argument: str) -> None:
    for step in range(1, int(argument) + 1):
        _step(folder, str(step))


def _garbage(_folder: Path, _argument: str) -> None:
    sys.stdout.write('Downloading... 100%\n{}\n{"kind": "progress"}\n' + "x" * 3_000_000 + "\n")
    sys.stdout.flush()


def _hang(folder: Path, _argument: str) -> None:
    (folder / "pid").write_text(str(os.getpid()))
    _tell(kind="progress", state="TRAINING", step=1, step_total=9, epoch=1, epoch_total=1)
    sys.stdin.read()
    (folder / "parent_gone").touch()


def _first(folder: Path, argument: str) -> int | None:
    """Do something in the first process of the job alone."""
    marker = folder / "not_the_first"
    if marker.exists():
        return None
    marker.touch()
    status: int | None = _ACTIONS[argument](folder, "")
    return status


def _die(_folder: Path, _argument: str) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _kept(_folder: Path, argument: str) -> None:
    _tell(kind="kept", step=int(argument))


def _keep(folder: Path, argument: str) -> None:
    """Write what looks like a checkpoint, and tell of it."""
    checkpoint = folder / "checkpoints" / f"{int(argument):06d}"
    checkpoint.mkdir(parents=True, exist_ok=True)
    (checkpoint / "state.json").write_text(json.dumps({"steps": int(argument)}))
    (checkpoint / "manifest.json").write_text("{}")
    _kept(folder, argument)


def _notice(_folder: Path, argument: str) -> None:
    _tell(kind="notice", message=argument)


def _deaf(folder: Path, argument: str) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    _hang(folder, argument)


def _silent(_folder: Path, _argument: str) -> None:
    time.sleep(3600)


def _fail(_folder: Path, argument: str) -> int:
    _tell(kind="failed", reason=argument, message="as the test asked")
    return 1


def _crash(_folder: Path, argument: str) -> int:
    sys.stderr.write("Traceback: the tensor was on fire\n")
    return int(argument)


def _finish(folder: Path, _argument: str) -> None:
    model = folder / "model"
    model.mkdir(exist_ok=True)
    (model / "model.safetensors").write_bytes(b"weights of the best epoch")
    (model / "config.json").write_text("{}")
    _tell(kind="finished", metrics={"wer": 0.25, "loss": 0.5}, properties={"rows_used": "7"})


_ACTIONS: dict[str, Any] = {
    "rows": _rows,
    "step": _step,
    "steps": _steps,
    "garbage": _garbage,
    "hang": _hang,
    "first": _first,
    "die": _die,
    "kept": _kept,
    "keep": _keep,
    "notice": _notice,
    "deaf": _deaf,
    "silent": _silent,
    "fail": _fail,
    "crash": _crash,
    "finish": _finish,
}

if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
