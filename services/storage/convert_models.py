"""Models of the catalog, and who holds them: between messages and the words of the core."""

from collections.abc import Iterable

from services.storage.convert import to_table_version
from services.storage.core.models.holds import Hold
from services.storage.core.types import (
    Artefact,
    ModelDeletion,
    ModelFamily,
    ModelKind,
    ModelPage,
    ModelVersion,
    TableVersion,
)
from thanosql.v1 import storage_pb2, types_pb2
from thanosql_runtime.errors import Reason, error
from thanosql_runtime.moments import duration, seconds_of, timestamp

_KINDS = {
    types_pb2.MODEL_KIND_BASE: ModelKind.BASE,
    types_pb2.MODEL_KIND_PREBUILT: ModelKind.PREBUILT,
    types_pb2.MODEL_KIND_TRAINED: ModelKind.TRAINED,
    types_pb2.MODEL_KIND_UPLOADED: ModelKind.UPLOADED,
}
_KINDS_OUT = {kind: number for number, kind in _KINDS.items()}
_FAMILIES = {
    types_pb2.MODEL_FAMILY_UNSPECIFIED: ModelFamily.RECOGNISER,
    types_pb2.MODEL_FAMILY_RECOGNISER: ModelFamily.RECOGNISER,
    types_pb2.MODEL_FAMILY_TEXT_ENCODER: ModelFamily.TEXT_ENCODER,
    types_pb2.MODEL_FAMILY_WHISPER: ModelFamily.WHISPER,
}
_FAMILIES_OUT = {family: number for number, family in _FAMILIES.items()}


def from_kinds(request: storage_pb2.ListModelsRequest) -> tuple[ModelKind, ...]:
    """The kinds of models that are asked for."""
    return tuple(_kind(number) for number in request.kinds)


def from_model(model: types_pb2.ModelVersion) -> ModelVersion:
    """A version that is to be registered."""
    artefacts = tuple(
        Artefact(key=item.key, name=item.name, sha256=item.sha256, size_bytes=item.size_bytes)
        for item in model.artefacts
    )
    return ModelVersion(
        name=model.name,
        version=model.version,
        kind=_kind(model.kind),
        base=model.base,
        origin=model.origin,
        artefacts=artefacts,
        metrics=dict(model.metrics),
        properties=dict(model.properties),
        built_from=tuple(TableVersion(table=item.table, version=item.version) for item in model.built_from),
        family=_family(model.family),
    )


def to_model(model: ModelVersion) -> types_pb2.ModelVersion:
    """A version as the wire tells it."""
    artefacts = [
        types_pb2.Artefact(key=item.key, name=item.name, sha256=item.sha256, size_bytes=item.size_bytes)
        for item in model.artefacts
    ]
    return types_pb2.ModelVersion(
        name=model.name,
        version=model.version,
        kind=_KINDS_OUT[model.kind],
        base=model.base,
        origin=model.origin,
        artefacts=artefacts,
        metrics=dict(model.metrics),
        properties=dict(model.properties),
        built_from=[to_table_version(item) for item in model.built_from],
        active=model.active,
        create_time=timestamp(model.create_time_s),
        family=_FAMILIES_OUT[model.family],
    )


def to_model_page(page: ModelPage) -> storage_pb2.ListModelsResponse:
    """A page of models."""
    models = [to_model(model) for model in page.models]
    return storage_pb2.ListModelsResponse(models=models, next_page_token=page.next_page_token)


def to_version_page(page: ModelPage) -> storage_pb2.ListModelVersionsResponse:
    """A page of versions."""
    models = [to_model(model) for model in page.models]
    return storage_pb2.ListModelVersionsResponse(models=models, next_page_token=page.next_page_token)


def from_deletion(request: storage_pb2.DeleteModelRequest) -> ModelDeletion:
    """Which model is deleted."""
    return ModelDeletion(
        name=request.name,
        force=request.force,
        if_exists=request.if_exists,
        explain_only=request.explain_only,
        version=request.version,
    )


def from_holds(request: storage_pb2.HoldModelsRequest) -> list[Hold]:
    """What a process uses."""
    return [
        Hold(
            model=item.model,
            version=item.version,
            holder=request.holder,
            job_id=item.job_id,
            since_s=seconds_of(item.since),
        )
        for item in request.models
    ]


def to_missing(missing: Iterable[Hold], lasts_s: float) -> storage_pb2.HoldModelsResponse:
    """What of it the catalog does not have."""
    models = [
        storage_pb2.HeldModel(
            model=hold.model, version=hold.version, job_id=hold.job_id, since=timestamp(hold.since_s)
        )
        for hold in missing
    ]
    return storage_pb2.HoldModelsResponse(missing=models, lasts=duration(lasts_s))


def _kind(number: types_pb2.ModelKind.ValueType) -> ModelKind:
    kind = _KINDS.get(number)
    if kind is None:
        raise error(Reason.INVALID_ARGUMENT, f"model kind {number} is unknown")
    return kind


def _family(number: types_pb2.ModelFamily.ValueType) -> ModelFamily:
    family = _FAMILIES.get(number)
    if family is None:
        raise error(Reason.INVALID_ARGUMENT, f"model family {number} is unknown")
    return family
