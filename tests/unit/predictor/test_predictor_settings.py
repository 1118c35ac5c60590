"""Settings that cannot work are refused at the start, by name."""

from typing import Any

import pytest
from pydantic import ValidationError

from services.predictor.core.admission import Gate
from services.predictor.settings import PredictorSettings
from thanosql_runtime.errors import Reason, ThanosqlError


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"device": "tpu"}, "device"),
        ({"precision": "int4"}, "precision"),
        ({"engine": "tensorrt"}, "engine"),
        ({"engine": "openvino", "device": "cuda"}, "engine openvino computes on the CPU"),
        ({"window_s": 1.5, "overlap_s": 0.5}, "window_s"),
        ({"window_s": 10, "overlap_s": 6}, "overlap_s must be at most half"),
        ({"max_queue_size": 10}, "max_queue_size must be at least"),
        ({"max_streams": 1000}, "= 16544"),
        ({"widow_s": 10}, "widow_s"),
    ],
)
def test_a_setting_that_cannot_work_is_refused(values: dict[str, Any], problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        PredictorSettings.model_validate(values)


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THANOSQL_PREDICTOR__PRECISION", "bfloat16")
    monkeypatch.setenv("THANOSQL_PREDICTOR__MAX_QUEUE_DELAY_S", "0.02")
    settings = PredictorSettings()
    assert (settings.precision, settings.max_queue_delay_s) == ("bfloat16", 0.02)


def test_a_full_gate_refuses_and_opens_again() -> None:
    gate = Gate(1, "recordings")
    with gate.enter(), pytest.raises(ThanosqlError, match="1 recordings") as caught, gate.enter():
        pass
    assert caught.value.reason is Reason.OVERLOADED
    with gate.enter():
        pass
