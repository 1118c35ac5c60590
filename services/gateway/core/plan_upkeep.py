"""Statements about what the services keep and have in memory."""

from dataclasses import dataclass
from typing import TypeAlias

from services.gateway.core.plan_parts import Name


@dataclass(frozen=True, kw_only=True)
class ShowTranscripts:
    """SHOW TRANSCRIPTS."""

    kind: str = "SHOW TRANSCRIPTS"


@dataclass(frozen=True, kw_only=True)
class DeleteTranscripts:
    """DELETE TRANSCRIPTS; no model means all."""

    model: Name | None = None
    kind: str = "DELETE TRANSCRIPTS"


@dataclass(frozen=True, kw_only=True)
class ShowLoadedModels:
    """SHOW LOADED MODELS."""

    kind: str = "SHOW LOADED MODELS"


@dataclass(frozen=True, kw_only=True)
class ShowEvaluations:
    """SHOW EVALUATIONS; no model means all."""

    model: Name | None = None
    kind: str = "SHOW EVALUATIONS"


@dataclass(frozen=True, kw_only=True)
class UnloadModel:
    """UNLOAD MODEL m, or m.2."""

    model: Name
    kind: str = "UNLOAD MODEL"


UpkeepLookup: TypeAlias = ShowTranscripts | ShowLoadedModels | ShowEvaluations
UpkeepChange: TypeAlias = DeleteTranscripts | UnloadModel
