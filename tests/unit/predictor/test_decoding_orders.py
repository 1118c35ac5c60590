"""What is said between the server and its decoding processes."""

import pytest

from services.predictor.core.decoding.beam import orders, processes
from services.predictor.core.decoding.beam.decoder import BeamSize
from services.predictor.core.decoding.beam.fusion import FusionWeights
from services.predictor.core.decoding.beam.orders import (
    DecoderOrder,
    SpelledHotword,
    hypotheses_in,
    hypotheses_out,
    pack_decoding,
)
from services.predictor.core.decoding.types import HeardLabel, Hypothesis
from tests.unit.predictor.test_beam_search import LETTERS, spoken

HOTWORDS = (SpelledHotword(labels=(1, 2), weight=3.0),)


def order() -> DecoderOrder:
    return DecoderOrder(vocabulary=LETTERS, size=BeamSize(), weights=FusionWeights(), hotwords=HOTWORDS)


def heard(label: int, first_frame: int) -> HeardLabel:
    return HeardLabel(
        label=label, first_frame=first_frame, last_frame=first_frame + 1, log_probability=-0.1 * label
    )


@pytest.mark.parametrize("most", [0, 1, 2, 3])
def test_hypotheses_come_as_they_were_sent(most: int) -> None:
    sent = [
        Hypothesis(labels=[heard(1, 0), heard(2, 7)], score=-0.1),
        Hypothesis(labels=[], score=-2.5),
        Hypothesis(labels=[heard(3, 180_000)], score=float("-inf")),
    ][:most]
    assert hypotheses_in(hypotheses_out(sent)) == sent


def test_an_order_is_written_once_for_all_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    once = order()
    first, _array = pack_decoding(once, spoken("ONE"))
    monkeypatch.setattr(orders, "asdict", None)
    assert pack_decoding(once, spoken("ONE"))[0] == first


def test_orders_that_differ_have_other_digests() -> None:
    assert order().digest == order().digest
    other = DecoderOrder(vocabulary=LETTERS, size=BeamSize(), weights=FusionWeights())
    assert order().digest != other.digest


class Pipe:
    """Takes note of what is written between two times of waiting."""

    def __init__(self) -> None:
        self.parts = [b""]

    def write(self, part: memoryview) -> None:
        self.parts[-1] += part

    async def drain(self) -> None:
        self.parts.append(b"")


async def test_long_messages_are_written_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PART_BYTES", 4)
    pipe = Pipe()
    await processes._write(pipe, memoryview(b"0123456789"))
    assert pipe.parts == [b"0123", b"4567", b"89", b""]
