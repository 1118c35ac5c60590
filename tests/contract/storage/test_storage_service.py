"""Storage over real gRPC: the same promises alone, beside another service, and on a bucket."""

import asyncio
import hashlib
import threading
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import grpc
import pyarrow as pa
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from services.storage import servicer
from services.storage.commit import commit_rows
from services.storage.core.cancelling import Cancellation
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.types import TableInfo
from services.storage.parts import Parts
from services.storage.streams import ReceivedRows
from tests.contract.storage.conftest import Rig
from tests.fakes.storage_client import StorageClient, file_requests, query_requests, write_requests
from thanosql.v1 import parser_pb2, storage_pb2, storage_pb2_grpc, types_pb2
from thanosql_runtime.arrow import decode_batch, decode_schema
from thanosql_runtime.errors import Reason, ThanosqlError
from thanosql_runtime.status import from_rpc_error
from thanosql_runtime.testing import peer_channel

PEOPLE = pa.table({"name": ["ana", "bob"], "age": pa.array([30, 40], pa.int64())})


async def refusal(awaitable: object) -> ThanosqlError:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await awaitable  # type: ignore[misc]
    return from_rpc_error(caught.value, "storage")


class TestTables:
    async def test_written_rows_come_back(self, rig: Rig) -> None:
        answer = await rig.client.write("People", PEOPLE)
        assert (answer.rows_written, answer.table.name, answer.table.row_count) == (2, "people", 2)
        assert [(c.name, c.type) for c in answer.table.columns] == [("name", "string"), ("age", "int64")]
        rows = await rig.client.query("SELECT * FROM PEOPLE ORDER BY age DESC", "people")
        assert rows.to_pylist() == [{"name": "bob", "age": 40}, {"name": "ana", "age": 30}]

    async def test_an_empty_answer_has_a_schema(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        rows = await rig.client.query("SELECT name FROM people WHERE age > 99", "people")
        assert rows.num_rows == 0
        assert rows.schema.names == ["name"]

    async def test_an_empty_table_can_be_made_and_read(self, rig: Rig) -> None:
        await rig.client.write("none", PEOPLE.schema.empty_table())
        assert (await rig.client.query("SELECT count(*) AS n FROM none", "none")).to_pylist() == [{"n": 0}]

    async def test_large_answers_come_in_messages_of_at_most_a_megabyte(self, rig: Rig) -> None:
        rows = pa.table({"i": range(30_000), "t": ["x" * 300] * 30_000})
        await rig.client.write("large", rows)
        assert (await rig.client.query("SELECT * FROM large", "large")).equals(rows)

    async def test_create_refuses_a_name_that_exists_and_replace_does_not(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        failure = await refusal(rig.client.write("PEOPLE", PEOPLE))
        assert failure.reason is Reason.TABLE_ALREADY_EXISTS
        await rig.client.write("people", PEOPLE.slice(1), storage_pb2.WRITE_MODE_REPLACE)
        assert (await rig.stub.GetTable(storage_pb2.GetTableRequest(table="people"))).table.row_count == 1

    async def test_append_fills_named_columns_and_leaves_the_others_null(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        more = pa.table({"x": ["eve"]})
        await rig.client.write("people", more, storage_pb2.WRITE_MODE_APPEND, ["name"])
        rows = await rig.client.query("SELECT * FROM people WHERE age IS NULL", "people")
        assert rows.to_pylist() == [{"name": "eve", "age": None}]

    async def test_append_by_position_needs_every_column(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        failure = await refusal(
            rig.client.write("people", pa.table({"x": ["eve"]}), storage_pb2.WRITE_MODE_APPEND)
        )
        assert failure.reason is Reason.INVALID_DATA

    async def test_a_write_without_its_commit_changes_nothing(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        requests = write_requests("people", PEOPLE, storage_pb2.WRITE_MODE_REPLACE, commit=False)
        assert (await refusal(rig.stub.WriteTable(requests))).reason is Reason.CANCELLED
        fresh = write_requests("fresh", PEOPLE, storage_pb2.WRITE_MODE_CREATE, commit=False)
        assert (await refusal(rig.stub.WriteTable(fresh))).reason is Reason.CANCELLED
        listing = await rig.stub.ListTables(storage_pb2.ListTablesRequest())
        assert [(table.name, table.version) for table in listing.tables] == [("people", 1)]

    @pytest.mark.parametrize(
        "mode",
        [storage_pb2.WRITE_MODE_CREATE, storage_pb2.WRITE_MODE_REPLACE, storage_pb2.WRITE_MODE_APPEND],
    )
    async def test_a_write_whose_caller_leaves_at_its_commit_changes_nothing(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch, mode: storage_pb2.WriteMode
    ) -> None:
        if mode != storage_pb2.WRITE_MODE_CREATE:
            await rig.client.write("people", PEOPLE)
        begun, heard, ended = threading.Event(), threading.Event(), threading.Event()

        def slow_commit(parts: Parts, received: ReceivedRows, cancellation: Cancellation) -> TableInfo:
            try:
                with cancellation.stopping(heard.set):
                    begun.set()
                    assert heard.wait(10)
                return commit_rows(parts, received, cancellation)
            finally:
                ended.set()

        monkeypatch.setattr(servicer, "commit_rows", slow_commit)
        call = rig.stub.WriteTable(write_requests("people", PEOPLE, mode))
        assert await asyncio.to_thread(begun.wait, 10)
        call.cancel()
        assert await asyncio.to_thread(ended.wait, 10)
        listing = await rig.stub.ListTables(storage_pb2.ListTablesRequest())
        expected = [] if mode == storage_pb2.WRITE_MODE_CREATE else [("people", 1)]
        assert [(table.name, table.version) for table in listing.tables] == expected

    async def test_update_and_delete_count_rows(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        update = storage_pb2.UpdateRowsRequest(
            table="people",
            assignments=[parser_pb2.Assignment(column="age", expression="age + 1")],
            condition="name = 'bob'",
        )
        assert (await rig.stub.UpdateRows(update)).rows_changed == 1
        delete = storage_pb2.DeleteRowsRequest(table="people", condition="age < 35")
        assert (await rig.stub.DeleteRows(delete)).rows_deleted == 1
        rows = await rig.client.query("SELECT * FROM people", "people")
        assert rows.to_pylist() == [{"name": "bob", "age": 41}]

    async def test_an_update_whose_caller_leaves_changes_nothing(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        slow = "(SELECT count(*) FROM range(300000) x(i), range(300000) y(j) WHERE sin(i * j) < age) > 0"
        update = storage_pb2.UpdateRowsRequest(
            table="people",
            assignments=[parser_pb2.Assignment(column="age", expression="0")],
            condition=slow,
        )
        with pytest.raises(grpc.aio.AioRpcError):
            await rig.stub.UpdateRows(update, timeout=0.5)
        # The lock of the table is free again, long before the condition would have been computed.
        await rig.client.write("people", PEOPLE, storage_pb2.WRITE_MODE_APPEND)
        rows = await rig.client.query("SELECT sum(age) AS s FROM people", "people")
        assert rows.to_pylist() == [{"s": 140}]

    async def test_alter_adds_renames_and_drops_columns(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        for request, names in (
            ({"add_column": parser_pb2.AddColumn(name="town", type="VARCHAR")}, ["name", "age", "town"]),
            (
                {"rename_column": parser_pb2.RenameColumn(name="age", new_name="years")},
                ["name", "years", "town"],
            ),
            ({"drop_column": parser_pb2.DropColumn(name="town")}, ["name", "years"]),
            ({"drop_column": parser_pb2.DropColumn(name="town", if_exists=True)}, ["name", "years"]),
        ):
            answer = await rig.stub.AlterTable(storage_pb2.AlterTableRequest(table="people", **request))
            assert [column.name for column in answer.table.columns] == names

    async def test_drop_forgets_a_table_once(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        request = storage_pb2.DropTableRequest(table="people")
        assert (await rig.stub.DropTable(request)).dropped
        assert (await refusal(rig.stub.DropTable(request))).reason is Reason.TABLE_NOT_FOUND
        quiet = storage_pb2.DropTableRequest(table="people", if_exists=True)
        assert not (await rig.stub.DropTable(quiet)).dropped

    async def test_tables_are_listed_in_pages(self, rig: Rig) -> None:
        for name in ("c", "a", "b"):
            await rig.client.write(name, PEOPLE)
        first = await rig.stub.ListTables(storage_pb2.ListTablesRequest(page_size=2))
        rest = await rig.stub.ListTables(
            storage_pb2.ListTablesRequest(page_size=2, page_token=first.next_page_token)
        )
        assert [table.name for table in [*first.tables, *rest.tables]] == ["a", "b", "c"]
        assert not rest.next_page_token

    async def test_versions_are_listed_in_pages_and_restored(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        await rig.client.write("people", PEOPLE, storage_pb2.WRITE_MODE_APPEND)
        await rig.client.write("people", PEOPLE.slice(1), storage_pb2.WRITE_MODE_REPLACE)
        first = await rig.stub.ListTableVersions(
            storage_pb2.ListTableVersionsRequest(table="People", page_size=2)
        )
        rest = await rig.stub.ListTableVersions(
            storage_pb2.ListTableVersionsRequest(table="people", page_token=first.next_page_token)
        )
        listed = [*first.versions, *rest.versions]
        assert [(item.version, item.operation, item.row_count) for item in listed] == [
            (3, "REPLACE TABLE", 1),
            (2, "INSERT", 4),
            (1, "CREATE TABLE", 2),
        ]
        assert all(item.create_time.seconds for item in listed)
        assert not rest.next_page_token
        restored = await rig.stub.RestoreTable(storage_pb2.RestoreTableRequest(table="PEOPLE", version=2))
        assert (restored.table.version, restored.table.row_count) == (4, 4)
        failure = await refusal(
            rig.stub.RestoreTable(storage_pb2.RestoreTableRequest(table="people", version=9))
        )
        assert (failure.reason, failure.metadata["known"]) == (Reason.TABLE_NOT_FOUND, "4 to 1")

    async def test_a_query_reads_a_version_and_says_which_it_read(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        await rig.client.write("people", PEOPLE.slice(1), storage_pb2.WRITE_MODE_REPLACE)
        at = storage_pb2.TableAtVersion(relation="__version_1_of_people", table="PEOPLE", version=1)
        start = storage_pb2.QueryStart(
            sql="SELECT old.name FROM __version_1_of_people AS old LEFT JOIN people USING (name) ORDER BY 1",
            tables=["people"],
            versions=[at],
        )

        async def requests() -> AsyncIterator[storage_pb2.QueryRequest]:
            yield storage_pb2.QueryRequest(start=start)

        answers = [response async for response in rig.stub.Query(requests())]
        read = {(item.table, item.version) for item in answers[0].tables_read}
        assert read == {("people", 1), ("people", 2)}
        rows = decode_batch(answers[1].record_batch, decode_schema(answers[0].schema))
        assert rows.to_pylist() == [{"name": "ana"}, {"name": "bob"}]

    async def test_concurrent_appends_lose_nothing(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE.slice(0, 0))
        append = storage_pb2.WRITE_MODE_APPEND
        await asyncio.gather(*(rig.client.write("people", PEOPLE, append) for _ in range(16)))
        rows = await rig.client.query("SELECT count(*) AS n FROM people", "people")
        assert rows.to_pylist() == [{"n": 32}]


class TestQueries:
    async def test_attached_relations_stand_under_their_names(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        towns = pa.table({"name": ["bob", "ana"], "town": ["Bonn", "Ulm"]})
        rows = await rig.client.query(
            "SELECT p.name, t.town FROM people p JOIN __nested_1 t USING (name) ORDER BY 1",
            "people",
            relations={"__nested_1": towns},
        )
        assert rows.to_pylist() == [{"name": "ana", "town": "Ulm"}, {"name": "bob", "town": "Bonn"}]

    async def test_an_empty_relation_is_a_relation(self, rig: Rig) -> None:
        empty = pa.table({"x": pa.array([], pa.string())})
        rows = await rig.client.query("SELECT * FROM __nested_1", relations={"__nested_1": empty})
        assert rows.num_rows == 0

    @pytest.mark.parametrize(
        ("sql", "reason"),
        [
            ("SELECT * FROM read_csv('/etc/passwd')", Reason.QUERY_REJECTED),
            ("SELECT 1; DROP TABLE people", Reason.QUERY_REJECTED),
            ("SELECT nope FROM people", Reason.COLUMN_NOT_FOUND),
            ("SELECT * FROM peple", Reason.TABLE_NOT_FOUND),
            ("SELECT name + 1 FROM people", Reason.QUERY_FAILED),
            ("SELECT FROM WHERE", Reason.SYNTAX_ERROR),
        ],
    )
    async def test_bad_queries_are_told_apart(self, rig: Rig, sql: str, reason: Reason) -> None:
        await rig.client.write("people", PEOPLE)
        failure = await refusal(rig.client.query(sql, "people"))
        assert failure.reason is reason

    async def test_an_unknown_column_is_answered_with_those_there_are(self, rig: Rig) -> None:
        await rig.client.write("people", PEOPLE)
        failure = await refusal(rig.client.query("SELECT nam FROM people", "people"))
        assert failure.metadata["suggestion"] == "name"
        assert "name, age" in failure.message

    async def test_a_reader_that_goes_away_stops_the_query(self, rig: Rig) -> None:
        sql = "SELECT count(*) FROM range(100000000000) a, range(100000000000) b"
        call = rig.stub.Query(query_requests(sql, (), {}))
        asking = asyncio.ensure_future(anext(aiter(call)))
        await asyncio.sleep(0)
        call.cancel()
        with pytest.raises((asyncio.CancelledError, grpc.aio.AioRpcError)):
            await asking
        rows = await asyncio.wait_for(rig.client.query("SELECT 1 AS one"), 20)
        assert rows.to_pylist() == [{"one": 1}]

    async def test_a_slow_reader_of_much_is_left_behind_without_harm(self, rig: Rig) -> None:
        call = rig.stub.Query(
            query_requests("SELECT i, repeat('x', 500) AS t FROM range(2000000) r(i)", (), {})
        )
        seen = 0
        async for _ in call:
            seen += 1
            if seen == 3:
                call.cancel()
                break
        assert (await rig.client.query("SELECT 1 AS one")).num_rows == 1

    @pytest.mark.parametrize("order", ["relation without schema", "unannounced", "missing", "no start"])
    async def test_messages_out_of_order_are_refused(self, rig: Rig, order: str) -> None:
        good = [r async for r in query_requests("SELECT * FROM r", (), {"r": pa.table({"x": [1]})})]
        wrong = {
            "relation without schema": [good[0], good[2]],
            "unannounced": [storage_pb2.QueryRequest(start=storage_pb2.QueryStart(sql="SELECT 1")), good[1]],
            "missing": good[:1],
            "no start": good[1:],
        }[order]
        call = rig.stub.Query(iter(wrong))
        failure = await refusal(anext(aiter(call)))
        assert failure.reason is Reason.INVALID_ARGUMENT


class TestCopies:
    async def test_a_csv_becomes_a_table(self, rig: Rig) -> None:
        result = await rig.client.copy("people", "people.csv")
        assert (result.rows_copied, result.rows_quarantined) == (3, 0)
        rows = await rig.client.query("SELECT * FROM people LIMIT 1", "people")
        assert rows.to_pylist() == [{"name": "ana", "age": 30}]

    async def test_a_librispeech_tree_becomes_a_table(self, rig: Rig) -> None:
        result = await rig.client.copy("libri", "libri")
        assert result.rows_copied == 2
        rows = await rig.client.query("SELECT * FROM libri ORDER BY audio_path", "libri")
        assert rows.to_pylist()[0] == {
            "audio_path": "libri/84/121550/84-121550-0000.flac",
            "text": "HELLO WORLD",
            "speaker_id": "84",
            "chapter_id": "121550",
            "duration": 0.1,
        }

    async def test_rows_that_cannot_be_read_are_counted_and_named(self, rig: Rig) -> None:
        result = await rig.client.copy("broken", "broken.csv")
        assert (result.rows_copied, result.rows_quarantined) == (2, 2)
        assert [row.subject for row in result.quarantined] == ["line 3", "line 4"]
        assert result.quarantine == result.table.quarantine == "broken_quarantine"
        kept = await rig.client.query("SELECT line, raw FROM broken_quarantine", "broken_quarantine")
        assert kept.to_pylist() == [{"line": 3, "raw": "3"}, {"line": 4, "raw": "4,5,6"}]

    async def test_a_quarantine_is_listed_with_its_table_and_dropped_with_it(self, rig: Rig) -> None:
        await rig.client.copy("broken", "broken.csv")
        await rig.client.copy("people", "people.csv")
        listed = (await rig.stub.ListTables(storage_pb2.ListTablesRequest())).tables
        assert [(table.name, table.quarantine) for table in listed] == [
            ("broken", "broken_quarantine"), ("people", "")
        ]  # fmt: skip
        await rig.stub.DropTable(storage_pb2.DropTableRequest(table="broken"))
        gone = storage_pb2.GetTableRequest(table="broken_quarantine")
        assert (await refusal(rig.stub.GetTable(gone))).reason is Reason.TABLE_NOT_FOUND

    @pytest.mark.parametrize("mode", [storage_pb2.WRITE_MODE_CREATE, storage_pb2.WRITE_MODE_REPLACE])
    async def test_a_new_table_does_not_inherit_the_quarantine_of_one_that_is_gone(
        self, rig: Rig, monkeypatch: pytest.MonkeyPatch, mode: storage_pb2.WriteMode
    ) -> None:
        def fail(_quarantines: object, _quarantine: str) -> None:
            """The store goes away before the quarantine is dropped."""

        await rig.client.copy("broken", "broken.csv")
        monkeypatch.setattr(Quarantines, "_drop_if_possible", fail)
        await rig.stub.DropTable(storage_pb2.DropTableRequest(table="broken"))
        answer = await rig.client.write("broken", PEOPLE, mode)
        assert answer.table.quarantine == ""
        described = await rig.stub.GetTable(storage_pb2.GetTableRequest(table="broken"))
        assert described.table.quarantine == ""

    async def test_an_append_says_what_became_of_the_columns(self, rig: Rig) -> None:
        await rig.client.copy("people", "people.csv")
        result = await rig.client.copy("people", '[{"AGE": 1.5}]', 3)
        assert [notice.message for notice in result.notices] == [
            "column 'age' was widened from int64 to double",
            "column 'name' is not in the JSON text: NULL in these rows",
        ]
        assert [(column.name, column.type) for column in result.table.columns] == [
            ("name", "string"), ("age", "double")
        ]  # fmt: skip

    async def test_if_exists_decides(self, rig: Rig) -> None:
        await rig.client.copy("people", "people.csv")
        assert (await refusal(rig.client.copy("people", "people.csv"))).reason is Reason.TABLE_ALREADY_EXISTS
        assert (await rig.client.copy("people", "people.csv", 2)).table.row_count == 3
        assert (await rig.client.copy("people", "people.csv", 3)).table.row_count == 6

    @pytest.mark.parametrize(
        ("source", "reason"),
        [
            ("peoples.csv", Reason.FILE_NOT_FOUND),
            ("../secret.csv", Reason.PATH_OUTSIDE_WORKSPACE),
            ("/etc/passwd", Reason.PATH_OUTSIDE_WORKSPACE),
            ("latin.csv", Reason.INVALID_ENCODING),
            ("libri/84/121550/84-121550-0000.flac", Reason.UNSUPPORTED_FORMAT),
        ],
    )
    async def test_sources_that_cannot_be_copied_say_why(self, rig: Rig, source: str, reason: Reason) -> None:
        assert (await refusal(rig.client.copy("t", source))).reason is reason
        assert not (await rig.stub.ListTables(storage_pb2.ListTablesRequest())).tables

    async def test_an_uploaded_file_can_be_copied(self, rig: Rig) -> None:
        await rig.stub.WriteFile(file_requests("up.csv", b"x\n1\n"))
        assert (await rig.client.copy("t", "uploads/up.csv")).rows_copied == 1


class TestSnapshots:
    async def test_rows_are_kept_apart_from_tables_until_they_are_deleted(self, rig: Rig) -> None:
        await rig.client.write("job-1", PEOPLE, storage_pb2.WRITE_MODE_SNAPSHOT)
        assert not (await rig.stub.ListTables(storage_pb2.ListTablesRequest())).tables
        request = storage_pb2.ReadSnapshotRequest(snapshot_id="job-1")
        parts = [part async for part in rig.stub.ReadSnapshot(request)]
        assert [part.WhichOneof("part") for part in parts] == ["schema", "record_batch"]
        (listed,) = (await rig.stub.ListSnapshots(storage_pb2.ListSnapshotsRequest())).snapshots
        assert listed.snapshot_id == "job-1"
        assert listed.create_time.seconds > 0
        for _ in range(2):
            await rig.stub.DeleteSnapshot(storage_pb2.DeleteSnapshotRequest(snapshot_id="job-1"))
        assert not (await rig.stub.ListSnapshots(storage_pb2.ListSnapshotsRequest())).snapshots
        call = rig.stub.ReadSnapshot(request)
        assert (await refusal(anext(aiter(call)))).reason is Reason.TABLE_NOT_FOUND


class TestModels:
    async def test_a_new_workspace_has_its_two_models(self, rig: Rig) -> None:
        answer = await rig.stub.ListModels(storage_pb2.ListModelsRequest())
        assert [(m.name, m.version, m.kind) for m in answer.models] == [
            ("Wav2Vec2En", 1, types_pb2.MODEL_KIND_BASE),
            ("tutorial_audio_recognition", 1, types_pb2.MODEL_KIND_PREBUILT),
        ]
        assert all(model.origin == "bundled bundled" for model in answer.models)
        assert [a.name for a in answer.models[0].artefacts] == [
            "config.json",
            "model.safetensors",
            "vocab.json",
        ]

    async def test_versions_are_registered_found_and_deleted(self, rig: Rig) -> None:
        first = await register(rig, b"one", request_id="r1")
        again = await register(rig, b"one", request_id="r1")
        assert (first.version, again.version) == (1, 1)
        assert (await refusal(register(rig, b"two"))).reason is Reason.MODEL_ALREADY_EXISTS
        second = await register(rig, b"two", overwrite=True)
        assert second.version == 2
        active = await rig.stub.GetModel(storage_pb2.GetModelRequest(name="mine"))
        older = await rig.stub.GetModel(storage_pb2.GetModelRequest(name="mine", version=1))
        assert (active.model.version, active.model.active, older.model.active) == (2, True, False)
        assert active.model.metrics["wer"] == 0.25
        listing = await rig.stub.ListModelVersions(storage_pb2.ListModelVersionsRequest(name="mine"))
        assert [model.version for model in listing.models] == [2, 1]
        deleted = await rig.stub.DeleteModel(storage_pb2.DeleteModelRequest(name="mine"))
        assert deleted.versions_deleted == 2
        assert not rig.objects.store.list("models/mine/").objects
        failure = await refusal(rig.stub.GetModel(storage_pb2.GetModelRequest(name="mine")))
        assert failure.reason is Reason.MODEL_NOT_FOUND

    async def test_a_model_that_a_process_uses_is_deleted_only_by_force(self, rig: Rig) -> None:
        await register(rig, b"one")
        used = storage_pb2.HeldModel(model="mine", version=1, job_id="0f8d")
        gone = storage_pb2.HeldModel(model="mine", version=2)
        holder = uuid.uuid4().hex
        request = storage_pb2.HoldModelsRequest(holder_id=holder, holder="trainer", models=[used, gone])
        answer = await rig.stub.HoldModels(request)
        assert [(item.model, item.version) for item in answer.missing] == [("mine", 2)]
        assert answer.lasts.ToTimedelta() == timedelta(seconds=60)
        failure = await refusal(rig.stub.DeleteModel(storage_pb2.DeleteModelRequest(name="mine")))
        assert failure.reason is Reason.MODEL_IN_USE
        assert "job '0f8d' trains from version 1" in failure.message
        forced = storage_pb2.DeleteModelRequest(name="mine", force=True)
        assert (await rig.stub.DeleteModel(forced)).versions_deleted == 1
        again = storage_pb2.DeleteModelRequest(name="mine", if_exists=True)
        assert (await rig.stub.DeleteModel(again)).versions_deleted == 0

    async def test_a_wrong_digest_is_refused(self, rig: Rig) -> None:
        failure = await refusal(register(rig, b"one", sha256="0" * 64))
        assert failure.reason is Reason.CHECKSUM_MISMATCH

    async def test_the_nearest_model_is_named(self, rig: Rig) -> None:
        failure = await refusal(rig.stub.GetModel(storage_pb2.GetModelRequest(name="Wav2Vec2EN")))
        assert failure.metadata["suggestion"] == "Wav2Vec2En"


async def register(
    rig: Rig, content: bytes, *, overwrite: bool = False, request_id: str = "", sha256: str = ""
) -> types_pb2.ModelVersion:
    info = rig.objects.store.write(f"models/mine/{hash(content)}/weights", [content])
    artefact = types_pb2.Artefact(
        key=info.key,
        name="weights",
        sha256=sha256 or hashlib.sha256(content).hexdigest(),
        size_bytes=len(content),
    )
    model = types_pb2.ModelVersion(
        name="mine", kind=types_pb2.MODEL_KIND_TRAINED, base="Wav2Vec2En.1", artefacts=[artefact]
    )
    model.metrics["wer"] = 0.25
    request = storage_pb2.RegisterModelRequest(model=model, overwrite=overwrite, request_id=request_id)
    return (await rig.stub.RegisterModel(request)).model


class TestFiles:
    async def test_a_file_goes_up_is_listed_and_comes_down(self, rig: Rig) -> None:
        content = bytes(range(256)) * 1000
        sha256 = hashlib.sha256(content).hexdigest()
        answer = await rig.stub.WriteFile(file_requests("a/b.bin", content, sha256))
        assert (answer.file.path, answer.file.size_bytes) == ("uploads/a/b.bin", len(content))
        parts = [p async for p in rig.stub.ReadFile(storage_pb2.ReadFileRequest(path="uploads/a/b.bin"))]
        assert b"".join(part.chunk for part in parts[1:]) == content
        listing = await rig.stub.ListFiles(storage_pb2.ListFilesRequest(prefix="uploads/"))
        assert [file.path for file in listing.files] == ["uploads/a/b.bin"]

    async def test_an_interrupted_or_wrong_upload_leaves_nothing(self, rig: Rig) -> None:
        cut = rig.stub.WriteFile(file_requests("x", b"123", commit=False))
        assert (await refusal(cut)).reason is Reason.CANCELLED
        wrong = rig.stub.WriteFile(file_requests("x", b"123", "0" * 64))
        assert (await refusal(wrong)).reason is Reason.FILE_DAMAGED
        outside = rig.stub.WriteFile(file_requests("../x", b"123"))
        assert (await refusal(outside)).reason is Reason.PATH_OUTSIDE_WORKSPACE
        assert not (await rig.stub.ListFiles(storage_pb2.ListFilesRequest(prefix="uploads/"))).files

    async def test_files_of_the_workspace_are_listed_in_pages(self, rig: Rig) -> None:
        seen, token = [], ""
        while True:
            request = storage_pb2.ListFilesRequest(page_size=2, page_token=token)
            page = await rig.stub.ListFiles(request)
            seen += [file.path for file in page.files]
            token = page.next_page_token
            if not token:
                break
        assert "people.csv" in seen
        assert seen == sorted(set(seen))


async def test_health_says_serving(rig: Rig) -> None:
    async with peer_channel(rig.address) as channel:
        request = health_pb2.HealthCheckRequest(service="thanosql.v1.StorageService")
        stub = health_pb2_grpc.HealthStub(channel)
        answer = await stub.Check(request)  # type: ignore[attr-defined]
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


async def test_users_may_not_call_it(rig: Rig) -> None:
    async with grpc.aio.insecure_channel(rig.address) as channel:
        client = StorageClient(storage_pb2_grpc.StorageServiceStub(channel))
        assert (await refusal(client.query("SELECT 1"))).reason in (
            Reason.INVALID_TOKEN,
            Reason.PERMISSION_DENIED,
        )
