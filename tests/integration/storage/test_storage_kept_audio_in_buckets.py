"""Recordings in keeping on a real S3 server, whose listings are more exact than its other answers."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from services.storage.core.copying.command import CopyCommand, CopyRequest
from services.storage.core.keeping.digests import Digests
from services.storage.core.keeping.keepers import Keepers
from services.storage.core.keeping.naming import NamedRecordings
from services.storage.core.keeping.recordings import KeptRecordings
from services.storage.core.reconciling.kept_audio import KeptAudio
from services.storage.core.reconciling.ledger import Ledger
from services.storage.core.reconciling.reconciliation import Reconciliation
from services.storage.core.tables.homes import TableHome
from services.storage.core.tables.quarantines import Quarantines
from services.storage.core.tables.tables import Tables
from tests.ceph_server import ACCESS_KEY, SECRET_KEY, CephServer, missing_programs
from tests.s3_servers import new_bucket
from thanosql_objects.opening import open_objects, open_place
from thanosql_objects.settings import ObjectSettings

WEEK_S = 168 * 3600.0
RECORDINGS = 20


@pytest.fixture
def settings() -> Iterator[ObjectSettings]:
    missing = missing_programs()
    if missing:
        pytest.skip(f"needs Debian's packages radosgw, ceph-mon and ceph-osd; not found: {missing[0]}")
    server = CephServer()
    try:
        server.make()
        yield new_bucket(server.endpoint, access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    finally:
        server.remove()


def test_recordings_come_stay_and_go(settings: ObjectSettings, tmp_path: Path) -> None:
    objects, place = open_objects(settings), open_place(settings, f"{settings.uri}/tables")
    tables, keepers = Tables(TableHome(place)), Keepers(objects.store, place.store)
    noise = np.random.default_rng(0)
    for number in range(RECORDINGS):
        path = tmp_path / f"{number:02}.flac"
        soundfile.write(path, noise.uniform(-1, 1, 8000), 16000)
        objects.store.upload_from(f"uploads/calls/{path.name}", path)
    now_s = [3_000_000_000.0]
    recordings = KeptRecordings(
        objects.workspace, objects.store, Digests(tmp_path / "d.sqlite"), keepers, lambda: now_s[0]
    )
    copying = CopyCommand(tables, Quarantines(tables), objects.workspace, recordings)
    copying.run(CopyRequest(table="t", source="uploads/calls", store_audio=True), lambda _: None)
    named = NamedRecordings(tmp_path / "n.sqlite", (TableHome(place),))
    source = KeptAudio(objects.store, recordings, named, keepers, lambda: now_s[0])
    reconciliation = Reconciliation((source,), (), Ledger(objects.store), WEEK_S, lambda: now_s[0])
    reconciliation.run()
    now_s[0] += 2 * WEEK_S
    reconciliation.run()
    keys = [info.key for info in objects.store.walk("audio/")]
    assert len(keys) == RECORDINGS
    tables.drop("t")
    reconciliation.run()
    before = objects.store.stat(keys[0])
    while objects.store.stat(keys[0]).modified_s == before.modified_s:
        assert objects.store.touch(keys[0])
    assert objects.store.stat(keys[0]).sha256 == before.sha256
    now_s[0] += WEEK_S
    reconciliation.run()
    assert [info.key for info in objects.store.walk("audio/")] == keys[:1]
