"""How long the recipe takes and on how much: one course for two cores, and a small form of any."""

from dataclasses import dataclass, field, replace

from scripts.base_model import network, syllabus


@dataclass(frozen=True, kw_only=True)
class Course:
    """What depends on the machine and on the time there is.

    Attributes:
        minutes: Of training.
        peak_learning_rate: The highest.
        batch_s: Seconds of speech in a step of one process.
        ranks: Processes that train.
        report_s: Seconds of training from report to report; what a run that is killed loses at most.
        stages: What is heard when.
        shape: Of the network.
        synthetic: Utterances that synthesizers make.
        share: Of the recordings of people that train.
        rows: Most rows of a table when the model is measured; None for all.
    """

    minutes: float
    peak_learning_rate: float
    batch_s: float
    ranks: int
    report_s: float
    stages: syllabus.Stages = syllabus.STAGES
    shape: network.Shape = field(default_factory=network.Shape)
    synthetic: int = 36_000
    share: float = 1.0
    rows: int | None = None


TWO_CORES = Course(minutes=100.0, peak_learning_rate=9e-4, batch_s=32.0, ranks=2, report_s=400.0)


def small(course: Course) -> Course:
    """Return a course that goes through every step in about ten minutes; its model is worth nothing."""
    return replace(course, minutes=3.0, report_s=45.0, synthetic=400, share=0.05, rows=12)
