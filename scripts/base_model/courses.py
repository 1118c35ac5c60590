"""How long the recipe takes and on how much: courses for two cores and for a GPU, and small forms."""

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
# Hundreds of passes instead of a dozen: the model is deeper, and it is varied and hidden more, sooner and for
# longer, since it will have read its own training speech by the tenth part of the time. Not tried yet.
ONE_GPU = Course(
    minutes=22.0,
    peak_learning_rate=2e-3,
    batch_s=960.0,
    ranks=1,
    report_s=100.0,
    stages=(
        syllabus.Stage(start=0.0, longest_s=3.0, hardness=0.1, mix=syllabus.READERS),
        syllabus.Stage(start=0.02, longest_s=6.0, hardness=0.2, mix=syllabus.READERS),
        syllabus.Stage(start=0.05, longest_s=17.0, hardness=0.4, mix=syllabus.READERS),
        syllabus.Stage(start=0.12, longest_s=17.0, hardness=0.7, mix=syllabus.BETWEEN),
        syllabus.Stage(start=0.25, longest_s=17.0, hardness=1.0, mix=syllabus.BETWEEN),
        syllabus.Stage(start=0.55, longest_s=17.0, hardness=1.0),
        syllabus.Stage(start=0.9, longest_s=17.0, hardness=0.5),
    ),
    shape=network.Shape(layers=12),
)


def small(course: Course) -> Course:
    """Return a course that goes through every step in about ten minutes; its model is worth nothing."""
    return replace(
        course,
        minutes=3.0,
        batch_s=min(course.batch_s, 32.0),
        report_s=45.0,
        synthetic=400,
        share=0.05,
        rows=12,
    )
