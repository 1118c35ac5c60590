"""S3 servers for tests: one that forgets everything when it ends, and the same one with faults."""

import threading
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from minio import Minio
from moto.server import DomainDispatcherApplication, create_backend_app
from pydantic import SecretStr
from werkzeug.serving import make_server

from thanosql_objects.settings import ObjectSettings

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


@contextmanager
def s3_server(fault: Callable[[Application], Application] = lambda application: application) -> Iterator[str]:
    """Run moto on a free port and give its `host:port`; the fault stands in front of it."""
    application = fault(_conditions_in_turn(DomainDispatcherApplication(create_backend_app)))
    server = make_server("127.0.0.1", 0, application, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _conditions_in_turn(application: Application) -> Application:
    """Let conditional writes wait for one another.

    Moto looks for the key and then writes it, so it could tell two writers at once that both were first.
    """
    turn = threading.Lock()

    def answer(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if environment["REQUEST_METHOD"] == "GET" or "HTTP_IF_NONE_MATCH" not in environment:
            return application(environment, start)
        with turn:
            return application(environment, start)

    return answer


def new_bucket(endpoint: str, *, access_key: str = "user", secret_key: str = "password") -> ObjectSettings:
    """Make a bucket of a fresh name and return the settings that lead to it."""
    name = f"b{uuid.uuid4().hex}"
    Minio(
        endpoint=endpoint, access_key=access_key, secret_key=secret_key, secure=False, region="us-east-1"
    ).make_bucket(name)
    return ObjectSettings(
        uri=f"s3://{name}",
        endpoint=endpoint,
        access_key=access_key,
        secret_key=SecretStr(secret_key),
        secure=False,
    )


def ignoring_conditions(application: Application) -> Application:
    """A server that has never heard of `If-None-Match`: the last of two writers wins."""

    def answer(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        environment.pop("HTTP_IF_NONE_MATCH", None)
        return application(environment, start)

    return answer


class GoneAtCommit:
    """A server that goes away when a manifest is written: just before it is kept, or just after.

    Attributes:
        armed: Whether the next manifest is the one.
        gone: Whether it is away; set it to False to bring it back.
    """

    def __init__(self, *, keeps: bool) -> None:
        self.armed = False
        self.gone = False
        self._keeps = keeps

    def __call__(self, application: Application) -> Application:
        """Stand in front of an application."""

        def answer(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            manifest = environment["PATH_INFO"].endswith(".manifest")
            if self.armed and environment["REQUEST_METHOD"] == "PUT" and manifest:
                self.armed, self.gone = False, True
                if self._keeps:
                    b"".join(application(environment, lambda *_: None))
            if not self.gone:
                return application(environment, start)
            start("500 Internal Server Error", [("Content-Length", "0")])
            return [b""]

        return answer


class LosingAnswers:
    """A server that does what it is asked to and then fails to say so, for the first manifests."""

    def __init__(self, times: int) -> None:
        self.left = times
        self._guard = threading.Lock()

    def __call__(self, application: Application) -> Application:
        """Stand in front of an application."""

        def answer(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
            manifest = environment["PATH_INFO"].endswith(".manifest")
            if environment["REQUEST_METHOD"] != "PUT" or not manifest or not self._lose():
                return application(environment, start)
            b"".join(application(environment, lambda *_: None))
            start("500 Internal Server Error", [("Content-Length", "0")])
            return [b""]

        return answer

    def _lose(self) -> bool:
        with self._guard:
            self.left -= 1
            return self.left >= 0
