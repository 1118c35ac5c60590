"""What stays with the process when messages are free again."""

import platform
import subprocess
import sys

import pytest

_FAULTS = """
import resource
from {module} import keep_freed_memory

{call}
begun = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(200):
    messages = [bytes(512 << 10) + b"1" for _ in range(4)]
    del messages
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - begun)
"""


def _faults(module: str, call: str) -> int:
    program = _FAULTS.format(module=module, call=call)
    answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return int(answer.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what glibc does with freed memory")
@pytest.mark.parametrize(
    ("module", "call"),
    [
        ("thanosql_runtime.memory", "keep_freed_memory()"),
        ("thanosql.transfer", "keep_freed_memory(None)"),
        ("thanosql.transfer", "keep_freed_memory(1 << 30)"),
    ],
)
def test_messages_that_come_and_go_do_not_fetch_their_pages_anew(module: str, call: str) -> None:
    assert _faults(module, call) < _faults(module, "") / 4


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="what glibc does with freed memory")
def test_small_files_keep_nothing() -> None:
    module = "thanosql.transfer"
    assert _faults(module, "keep_freed_memory(1000)") > _faults(module, "") / 4
