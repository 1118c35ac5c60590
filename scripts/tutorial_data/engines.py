"""Speech synthesizers of Debian behind one call: text and a voice in, samples out.

Each call starts the synthesizer's own program (`espeak-ng`, `flite`, `text2wave`), so the result depends on
nothing but the installed packages and the arguments.
"""

import io
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import soundfile as sf

Samples = npt.NDArray[np.float32]


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One speaker of one synthesizer.

    Attributes:
        engine: The program that speaks.
        name: The program's own name of the voice, for espeak-ng `accent+variant`.
        words_per_minute: Rate of speech; 170 is the natural rate of every engine.
        pitch: None for the voice's own; espeak-ng counts 0 to 99, flite in Hz, festival has no such setting.
    """

    engine: Literal["espeak-ng", "flite", "festival"]
    name: str
    words_per_minute: int = 170
    pitch: int | None = None


def synthesize(text: str, voice: Voice) -> tuple[Samples, int]:
    """Speak a text.

    Args:
        text: Plain English; punctuation shapes the melody.
        voice: Who speaks it.

    Returns:
        Mono samples in -1..1 and their rate in Hz.

    Raises:
        RuntimeError: The synthesizer is missing or refused the text.
    """
    samples, rate = sf.read(io.BytesIO(speak(text, voice)), dtype="float32", always_2d=True)
    return samples.mean(axis=1).astype(np.float32), int(rate)


def speak(text: str, voice: Voice) -> bytes:
    """Return what `synthesize` returns as the synthesizer wrote it: a wav file.

    Raises:
        RuntimeError: As for `synthesize`.
    """
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "speech.wav"
        _run(_command(text, voice, path), text)
        return path.read_bytes()


def _command(text: str, voice: Voice, path: Path) -> list[str]:
    stretch = f"{170 / voice.words_per_minute:.3f}"
    if voice.engine == "espeak-ng":
        command = ["espeak-ng", "-v", voice.name, "-s", str(voice.words_per_minute), "-w", str(path)]
        pitch = [] if voice.pitch is None else ["-p", str(voice.pitch)]
        return [*command, *pitch, "--", text]
    if voice.engine == "flite":
        command = ["flite", "-voice", voice.name, "--setf", f"duration_stretch={stretch}"]
        if voice.pitch is not None:
            command += ["--setf", f"int_f0_target_mean={voice.pitch}"]
        return [*command, "-t", text, "-o", str(path)]
    scheme = f"(begin (voice_{voice.name}) (Parameter.set 'Duration_Stretch {stretch}))"
    return ["text2wave", "-eval", scheme, "-o", str(path)]


def _run(command: list[str], text: str) -> None:
    try:
        subprocess.run(command, input=text, text=True, check=True, capture_output=True, timeout=60)
    except FileNotFoundError as missing:
        raise RuntimeError(
            f"{command[0]} is not installed: apt-get install espeak-ng flite festival festvox-kdlpc16k"
        ) from missing
    except subprocess.CalledProcessError as failed:
        raise RuntimeError(f"{command[0]} failed on {text!r}: {failed.stderr.strip()}") from failed
