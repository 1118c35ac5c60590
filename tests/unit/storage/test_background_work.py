"""What is made in the background ends when it is closed."""

import threading

from services.storage.core.background import Background


def test_closing_does_not_wait_for_what_had_no_turn_yet() -> None:
    background: Background[str] = Background("test", lambda: 0.0)
    begun, stop = threading.Event(), threading.Event()
    made: list[str] = []

    def make() -> None:
        begun.set()
        stop.wait(10)

    background.begin("first", make)
    background.begin("second", lambda: made.append("second"))
    background.begin("third", lambda: made.append("third"))
    assert begun.wait(10)
    closing = threading.Thread(target=background.close, args=(stop.set,), daemon=True)
    closing.start()
    closing.join(10)
    assert not closing.is_alive()
    assert made == []
    background.wait()
