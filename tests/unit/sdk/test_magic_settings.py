"""What follows `%thanosql` is settings or a statement, and a token is never taken for a statement."""

import pytest

from thanosql.notebook import CellError, LiveProgress, parse_settings
from thanosql.values import Progress


@pytest.mark.parametrize(
    ("line", "settings"),
    [
        ("API_TOKEN=abc", {"API_TOKEN": "abc"}),
        (" api_token = 'abc' ", {"API_TOKEN": "abc"}),
        ("ADDRESS=here:1 API_TOKEN=a=b", {"ADDRESS": "here:1", "API_TOKEN": "a=b"}),
        ("SELECT API_TOKEN FROM t", {}),
        ("", {}),
    ],
)
def test_settings_are_told_from_statements(line: str, settings: dict[str, str]) -> None:
    assert parse_settings(line) == settings


def test_a_mixed_line_is_refused_without_repeating_it() -> None:
    with pytest.raises(CellError) as raised:
        parse_settings("API_TOKEN=secret SELECT 1")
    assert "secret" not in str(raised.value)


def test_progress_is_drawn_at_most_five_times_a_second(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: list[str] = []
    monkeypatch.setattr(LiveProgress, "_put", lambda _self, html: drawn.append(html))
    now = iter([0.0, 0.0, 0.1, 0.3, 0.3])
    live = LiveProgress(clock=lambda: next(now))
    for done in (1, 2, 3):
        live.show(Progress(stage="transcribing", done=done, total=3, unit="rows"))
    assert ["1/3 rows" in html or "3/3 rows" in html for html in drawn] == [True, True]
