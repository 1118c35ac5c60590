"""The torch embedder of a model whose transcripts another engine makes: its weights are read at first use."""

from collections.abc import Callable, Sequence

from services.predictor.core.ports import BatchPolicy
from services.predictor.core.torch_embedder import Frames, Hidden, TorchEmbedder
from services.predictor.core.torch_engine import Prepared
from services.predictor.core.torch_manner import EngineOptions, torch_policy
from thanosql_ctc.waveform import Samples
from thanosql_runtime.errors import ThanosqlError


class OnDemandEmbedder:
    """Satisfies `ports.Engine` once `read` has been called.

    Who only transcribes never pays for torch's copy of the weights.

    Args:
        load: Reads the model.
        options: How torch will compute.
    """

    def __init__(self, load: Callable[[], TorchEmbedder], options: EngineOptions) -> None:
        self._load = load
        self._policy = torch_policy(options)
        self._device = options.device
        self._dtype = options.dtype
        self._embedder: TorchEmbedder | None = None

    @property
    def description(self) -> str:
        """Where and how it computes."""
        return f"torch {self._device} {self._dtype}"

    @property
    def size_bytes(self) -> int:
        """Size of the parameters in memory: none before the first use."""
        return self._embedder.parameter_bytes if self._embedder else 0

    @property
    def policy(self) -> BatchPolicy:
        """As torch's engine has it."""
        return self._policy

    def read(self) -> None:
        """Read the model where that was not done yet; one thread at a time.

        Raises:
            ThanosqlError: What reading it raises; the next call tries again.
        """
        if self._embedder is None:
            self._embedder = self._load()

    def prepare(self, windows: Sequence[Samples]) -> Prepared:
        """As torch does."""
        return self._read_one().prepare(windows)

    def run(self, prepared: Prepared) -> Hidden:
        """Compute up to the layer."""
        return self._read_one().run(prepared)

    def finish(self, raw: Hidden) -> list[Frames | ThanosqlError]:
        """Cut every row to its true frames."""
        return self._read_one().finish(raw)

    def _read_one(self) -> TorchEmbedder:
        assert self._embedder is not None, "the model is read first"
        return self._embedder
