"""OpenVINO's processor plugin: the one place that imports the package, when it is first asked for.

It has no types of its own that a checker could read; what leaves this module is typed here.
"""

import sys
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

Logits = npt.NDArray[np.float32]
"""[batch, frames, labels]"""

_DEVICE = "CPU"
_TELEMETRY = "openvino_telemetry"


class OpenVinoUnavailable(Exception):  # noqa: N818 - says what is the case
    """The package is not installed, or does not run here."""


class CompiledModel:
    """A model ready to run in this process; each request is used by one thread at a time.

    Args:
        compiled: OpenVINO's own object.
    """

    def __init__(self, compiled: Any) -> None:  # Any: OpenVINO's types are not checked
        self._compiled = compiled

    def request(self) -> "InferenceRequest":
        """Make room for one batch at a time."""
        return InferenceRequest(self._compiled.create_infer_request())


class InferenceRequest:
    """The buffers of one batch.

    Args:
        request: OpenVINO's own object.
    """

    def __init__(self, request: Any) -> None:  # Any: as above
        self._request = request

    def infer(self, inputs_bt: npt.NDArray[np.float32], lengths_b: npt.NDArray[np.int64]) -> Logits:
        """Compute; the answer is valid until the next batch."""
        self._request.infer([inputs_bt, lengths_b], share_inputs=True)
        logits: Logits = self._request.get_output_tensor(0).data
        return logits


class OpenVino:
    """The runtime of this process.

    Raises:
        OpenVinoUnavailable: It is not installed, or has no processor plugin for this machine.
    """

    def __init__(self) -> None:
        self._api = _import()
        try:
            # The plugin gives the thread that loads it a stack for signals of its own, and takes that memory
            # back in whatever thread the last reference to it goes. If that were the main thread's, the next
            # Ctrl-C would end the process with SIGSEGV; so it is a thread that has ended by then.
            with ThreadPoolExecutor(1, "openvino") as pool:
                self._core: Any = pool.submit(self._open).result()  # Any: as above
        except RuntimeError as failure:
            raise OpenVinoUnavailable(f"OpenVINO does not run on this machine: {failure}") from failure

    def _open(self) -> Any:  # Any: as above
        core = self._api.Core()
        self.processor = str(core.get_property(_DEVICE, "FULL_DEVICE_NAME"))
        self.has_bfloat16 = "BF16" in core.get_property(_DEVICE, "OPTIMIZATION_CAPABILITIES")
        return core

    @property
    def version(self) -> str:
        """Version and build."""
        return str(self._api.get_version())

    def convert(self, module: nn.Module, example: Sequence[Tensor], path: Path) -> None:
        """Trace a module of waveforms [b, t] and lengths [b], and write `path` and its weights beside it."""
        shapes = [([-1, -1], np.float32), ([-1], np.int64)]
        with warnings.catch_warnings(), torch.inference_mode():
            # Lengths and masks are tensors here; what the tracer sees Python decide holds for every input.
            warnings.simplefilter("ignore")
            graph = cast("Any", torch.jit).trace(module, tuple(example), check_trace=False)
            model = self._api.convert_model(graph, example_input=tuple(example), input=shapes)
        self._api.save_model(model, str(path), compress_to_fp16=False)

    def compile(self, path: Path, dtype: str, streams: int, threads: int) -> CompiledModel:
        """Make a converted model ready.

        Args:
            path: What `convert` wrote.
            dtype: `float32`, `bfloat16`, or `int8` for a model that rounds: what it does not round is
                computed in bfloat16 where the processor has it.
            streams: Batches computed at once.
            threads: Threads of all of them.
        """
        options: Mapping[str, object] = {
            "INFERENCE_PRECISION_HINT": "f32" if dtype == "float32" or not self.has_bfloat16 else "bf16",
            "PERFORMANCE_HINT": "THROUGHPUT" if streams > 1 else "LATENCY",
            "NUM_STREAMS": streams,
            "INFERENCE_NUM_THREADS": threads,
            # Several programs that pin themselves would all take the first processors.
            "ENABLE_CPU_PINNING": False,
        }
        return CompiledModel(self._core.compile_model(str(path), _DEVICE, dict(options)))


def _import() -> Any:  # Any: as above
    """Import the package without the part that reports every import to its vendor."""
    if _TELEMETRY not in sys.modules:
        # What Python takes for a package that is not installed; OpenVINO then goes without.
        cast("dict[str, Any]", sys.modules)[_TELEMETRY] = None
    try:
        import openvino
    except (ImportError, OSError) as failure:
        raise OpenVinoUnavailable(f"the package openvino cannot be imported: {failure}") from failure
    return openvino
