"""Which jobs are old enough to be forgotten; one that may still go on never is."""

from collections.abc import Iterable
from dataclasses import dataclass

from services.trainer.core.types import Job


@dataclass(frozen=True, kw_only=True)
class JobRetention:
    """How long ended jobs are kept, and how many of them.

    Attributes:
        keep_s: Seconds after their end.
        most: The newest of them; older ones go before their time.
    """

    keep_s: float
    most: int


def outlived(jobs: Iterable[Job], retention: JobRetention, now_s: float) -> list[str]:
    """Ids of the ended jobs that need not be kept any more."""
    ended = [(job.end_time_s or job.create_time_s, job.job_id) for job in jobs if job.state.ended]
    ended.sort(reverse=True)
    kept = [end_s for end_s, _job_id in ended[: retention.most] if end_s + retention.keep_s > now_s]
    return [job_id for _end_s, job_id in ended[len(kept) :]]
