"""`%load_ext thanosql`: statements in notebook cells, with live progress and players for recordings.

The magic is thin: a cell goes to the server unchanged, and what comes back is shown.
"""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager
from html import escape
from typing import Any

from IPython import display as _display
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.magic import Magics, line_cell_magic, magics_class, no_var_expand

from thanosql.client import ThanoSQL
from thanosql.connection import environment_token, resolve_address
from thanosql.errors import AuthenticationError, ThanoSQLError
from thanosql.events import StatementStarted
from thanosql.html import notices_html, progress_html, row_errors_html
from thanosql.result import Result, ResultBuilder
from thanosql.tokens import read_token
from thanosql.values import Media, Progress

_SETTING = re.compile(r"\s*(API_TOKEN|ADDRESS)\s*=\s*(\S+)\s*", re.IGNORECASE)
_UPDATE_S = 0.2

# What shows things has no types, unlike the rest of IPython.
_ipython: Any = _display


class CellError(Exception):
    """Fails a cell; shown as the drawn error, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        return str(self).splitlines()


class CellInterrupted(KeyboardInterrupt):
    """An interrupted cell; the work in the server has been cancelled."""

    def _render_traceback_(self) -> list[str]:
        return ["interrupted; the work was cancelled"]


def register(shell: InteractiveShell) -> None:
    """Add the magics to a shell."""
    shell.register_magics(ThanoSQLMagics(shell))


@magics_class
class ThanoSQLMagics(Magics):
    """`%thanosql API_TOKEN=...` connects, `%%thanosql` runs a cell."""

    def __init__(self, shell: InteractiveShell) -> None:
        super().__init__(shell)
        self._client: ThanoSQL | None = None
        self._address: str | None = None
        self._token: str | None = None

    @no_var_expand
    @line_cell_magic
    def thanosql(self, line: str, cell: str | None = None) -> Any:  # a frame, a result, or nothing
        """Run statements, or say where the server is and who we are.

        %thanosql API_TOKEN=thanosql_...
        %thanosql ADDRESS=10.0.0.5:50051 API_TOKEN=thanosql_...
        %thanosql SELECT * FROM t LIMIT 5

        %%thanosql
        PREDICT USING my_model AS SELECT * FROM t
        """
        settings = parse_settings(line)
        with _cell_errors():
            if settings:
                self._configure(settings)
                line = ""
            text = line if cell is None else f"{line}\n{cell}" if line.strip() else cell
            return self._run(text) if text.strip() else None

    def _configure(self, settings: dict[str, str]) -> None:
        token = settings.get("API_TOKEN", "")
        address = settings.get("ADDRESS") or self._address
        if token.startswith("<") and token.endswith(">"):
            token = ""
            print(_placeholder_notice(resolve_address(address)))
        if address != self._address:
            self._token = None  # a token is for the server that it was given for
        self._address = address
        self._token = token or self._token
        if self._client is not None:
            self._client.close()
        self._client = None

    def _run(self, text: str) -> Any:  # a frame, a result, or nothing
        client = self._client = self._client or ThanoSQL(self._address, self._token)
        last = run_cell(client, text)
        return last and shown(last)


def parse_settings(line: str) -> dict[str, str]:
    """The settings of a line, by upper-case name; none when it is a statement.

    Raises:
        CellError: It begins with a setting and goes on with something else; neither is repeated,
            since one of them may be the token.
    """
    settings: dict[str, str] = {}
    rest = line
    while match := _SETTING.match(rest):
        settings[match[1].upper()] = match[2].strip("'\"")
        rest = rest[match.end() :]
    if rest.strip() and settings:
        raise CellError("error: settings are written %thanosql API_TOKEN=thanosql_... ADDRESS=host:port")
    return settings


def run_cell(client: ThanoSQL, text: str) -> Result | None:
    """Run a text, with its progress in place, and show what each statement gave once it has ended.

    The result of the last one is answered instead, for the notebook itself to show.
    """
    builder = ResultBuilder()
    live = LiveProgress()
    waiting: Result | None = None
    try:
        with closing(client.stream(text)) as events:
            for event in events:
                if isinstance(event, Progress):
                    live.show(event)
                elif isinstance(event, StatementStarted):
                    _show(waiting)
                    waiting = None
                result = builder.add(event)
                if result is not None:
                    live.end(result)
                    waiting = result
    except BaseException:
        live.clear()
        _show(waiting)
        raise
    return waiting


def _show(result: Result | None) -> None:
    value = result and shown(result)
    if value is not None:
        _ipython.display(value)


def shown(result: Result) -> Any:  # a frame, a result, or nothing
    """What a cell answers with: a DataFrame for rows, nothing beside players, else the result itself."""
    if result.media:
        for media in result.media:
            _ipython.display(_ipython.HTML(f"<div>{escape(media.path)}</div>"), player(media))
        return None
    if result.has_rows:
        return result.to_pandas()
    return result if result.scores is not None or result.model is not None else None


def player(media: Media) -> Any:  # IPython's class has no types
    """A player that holds the bytes of a recording, so that a saved notebook still plays."""
    audio = _ipython.Audio(data=media.data)
    audio.mimetype = media.mime_type
    return audio


class LiveProgress:
    """One place in a cell's output that follows a statement, and ends as what the statement says."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._handle: Any = None  # IPython's class has no types
        self._next_s = 0.0

    def show(self, progress: Progress) -> None:
        """Show a progress, unless the last one is too fresh for an eye to have seen."""
        if self._clock() < self._next_s:
            return
        self._next_s = self._clock() + _UPDATE_S
        self._put(progress_html(progress))

    def end(self, result: Result) -> None:
        """Put what the statement says in the place of the bar; the next statement gets a new place."""
        said = f"<div>{escape(result.message)} ({result.elapsed_s:.1f} s)</div>" if result.message else ""
        self._put(said + notices_html(result.notices) + row_errors_html(result))
        self._handle, self._next_s = None, 0.0

    def clear(self) -> None:
        """Take the bar away."""
        if self._handle is not None:
            self._put("")
            self._handle = None

    def _put(self, html: str) -> None:
        if self._handle is not None:
            self._handle.update(_ipython.HTML(html))
        elif html:
            self._handle = _ipython.DisplayHandle()
            self._handle.display(_ipython.HTML(html))


@contextmanager
def _cell_errors() -> Iterator[None]:
    try:
        yield
    except ThanoSQLError as failure:
        raise CellError(_drawn(failure)) from None
    except (KeyboardInterrupt, CancelledError):
        raise CellInterrupted from None


def _drawn(failure: ThanoSQLError) -> str:
    hint = (
        "\nconnect with: %thanosql API_TOKEN=thanosql_..." if isinstance(failure, AuthenticationError) else ""
    )
    return failure.drawn() + hint


def _placeholder_notice(address: str) -> str:
    if environment_token():
        return "API_TOKEN is the placeholder; the token of THANOSQL_API_TOKEN is used"
    if read_token(address):
        return f"API_TOKEN is the placeholder; the token that is kept for {address} is used"
    return "API_TOKEN is the placeholder; put the token there that the server printed at its first start"
