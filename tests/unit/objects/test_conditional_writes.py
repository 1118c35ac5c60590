"""Endpoints that would lose commits are told apart from those that would not, and refused with the remedy."""

from collections.abc import Callable, Iterable
from typing import Any

import pytest
from minio import Minio

from tests.s3_servers import Application, ignoring_conditions, new_bucket, s3_server
from thanosql_objects.opening import open_place
from thanosql_objects.settings import ObjectSettings
from thanosql_runtime.errors import Reason, ThanosqlError


def keys(settings: ObjectSettings) -> list[str | None]:
    client = Minio(endpoint=settings.endpoint, access_key="user", secret_key="password", secure=False)
    return [item.object_name for item in client.list_objects(settings.bucket, recursive=True)]


def test_a_server_that_honours_the_header_is_taken_and_left_as_it_was() -> None:
    with s3_server() as endpoint:
        settings = new_bucket(endpoint)
        open_place(settings, f"{settings.uri}/tables").require_conditional_writes()
        assert keys(settings) == []


def test_a_server_that_ignores_the_header_is_refused_with_the_remedy() -> None:
    with s3_server(ignoring_conditions) as endpoint:
        settings = new_bucket(endpoint)
        with pytest.raises(ThanosqlError) as caught:
            open_place(settings, f"{settings.uri}/tables").require_conditional_writes()
        assert keys(settings) == []
    assert caught.value.reason is Reason.STORE_UNAVAILABLE
    assert "ignores `If-None-Match: *`" in caught.value.message
    assert "THANOSQL_STORAGE__TABLES=/path" in caught.value.message


def refusing_conditions(application: Application) -> Application:
    """A server that knows the header and does not offer it."""

    def answer(environment: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        if "HTTP_IF_NONE_MATCH" in environment:
            start("501 Not Implemented", [("Content-Length", "0")])
            return [b""]
        return application(environment, start)

    return answer


def test_a_server_that_refuses_the_header_is_refused() -> None:
    with s3_server(refusing_conditions) as endpoint:
        settings = new_bucket(endpoint)
        with pytest.raises(ThanosqlError, match="status 501") as caught:
            open_place(settings, settings.uri).require_conditional_writes()
    assert caught.value.reason is Reason.STORE_UNAVAILABLE


def test_a_server_that_is_gone_is_not_called_unsuitable() -> None:
    with s3_server() as endpoint:
        settings = new_bucket(endpoint)
    with pytest.raises(ThanosqlError, match="could not be tried") as caught:
        open_place(settings, settings.uri).require_conditional_writes()
    assert caught.value.reason is Reason.STORE_UNAVAILABLE


def test_a_directory_needs_no_trial(tmp_path: object) -> None:
    open_place(ObjectSettings(uri=str(tmp_path)), f"{tmp_path}/tables").require_conditional_writes()


def test_the_secret_key_is_in_no_text_of_a_place() -> None:
    settings = ObjectSettings(uri="s3://b", endpoint="h:1", access_key="user", secret_key="hush-hush")
    assert "hush-hush" not in repr(open_place(settings, "s3://b/tables"))
