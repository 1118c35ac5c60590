"""Every family of models goes over the wire and back, in every service that keeps or loads models."""

import pytest

from services.predictor import convert as predictor
from services.storage import convert_models as storage
from services.trainer import convert as trainer
from thanosql.v1 import types_pb2

FAMILIES = [number for number in types_pb2.ModelFamily.values() if number]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_family_stays_what_it_is(family: types_pb2.ModelFamily.ValueType) -> None:
    message = types_pb2.ModelVersion(name="m", version=1, kind=types_pb2.MODEL_KIND_BASE, family=family)
    assert storage.to_model(storage.from_model(message)).family == family
    assert trainer.model_to_message(trainer.model_from_message(message)).family == family
    assert predictor.to_model_version(predictor.from_model_version(message)).family == family
