"""What is done to samples before a model hears them, and what its labels mean afterwards."""

from dataclasses import dataclass

from services.predictor.core.decoding.timing import Timeline
from services.predictor.core.windows import Geometry
from thanosql_ctc.batch_invariant import output_frames, receptive_field, samples_per_frame
from thanosql_ctc.checkpoint import Checkpoint, CheckpointFacts
from thanosql_ctc.vocabulary import Vocabulary


@dataclass(frozen=True, kw_only=True)
class Hearing:
    """How samples become windows.

    Attributes:
        window_s: Longest part of a recording that the model sees at once.
        overlap_s: What neighbouring parts share.
        silence_dbfs: Level below which nothing is heard.
        shortest_s: What is shorter holds no sound; it is not computed. Longer clips are, filled up to what
            one frame of the model needs.
        windows_in_flight: Parts of one recording in the queue at once.
        max_queue_size: Parts of all recordings in the queue.
    """

    window_s: float = 30.0
    overlap_s: float = 4.0
    silence_dbfs: float = -70.0
    shortest_s: float = 0.02
    windows_in_flight: int = 2
    max_queue_size: int = 1024


@dataclass(frozen=True, kw_only=True)
class Acoustics:
    """What a checkpoint says about samples and labels, without its weights."""

    vocabulary: Vocabulary
    sample_rate_hz: int
    do_normalize: bool
    geometry: Geometry
    hidden_size: int

    @property
    def silent_ids(self) -> frozenset[int]:
        """The labels between sounds: the blank, and the delimiter where there is one."""
        return self.vocabulary.delimiter_ids | {self.vocabulary.blank_id}

    def timeline(self, margin_samples: int = 0) -> Timeline:
        """Where frames lie in a recording, before which so much silence was put."""
        return Timeline(
            sample_rate_hz=self.sample_rate_hz,
            samples_per_frame=self.geometry.samples_per_frame,
            receptive_field=self.geometry.receptive_field,
            margin_samples=margin_samples,
        )

    @classmethod
    def of(cls, checkpoint: Checkpoint | CheckpointFacts, hearing: Hearing) -> "Acoustics":
        """Read them off a checkpoint."""
        config, rate_hz = checkpoint.config, checkpoint.sample_rate_hz
        step = samples_per_frame(config)
        geometry = Geometry(
            receptive_field=receptive_field(config),
            samples_per_frame=step,
            window_frames=max(2, output_frames(config, round(hearing.window_s * rate_hz))),
            overlap_frames=max(1, round(hearing.overlap_s * rate_hz) // step),
        )
        return cls(
            vocabulary=checkpoint.vocabulary,
            sample_rate_hz=rate_hz,
            do_normalize=checkpoint.do_normalize,
            geometry=geometry,
            hidden_size=config.hidden_size,
        )
