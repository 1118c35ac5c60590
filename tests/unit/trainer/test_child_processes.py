"""What processes of the trainer do beside their work."""

import subprocess
import sys
from pathlib import Path

import pytest

SCORE = "/proc/self/oom_score_adj"
OFFERING = f"""
from pathlib import Path
from services.trainer.core.child_process import offer_itself
offer_itself()
print(Path({SCORE!r}).read_text())
"""


@pytest.mark.skipif(not Path(SCORE).exists(), reason="Linux alone is told whom to end")
def test_a_process_that_offers_itself_is_the_first_to_go() -> None:
    ran = subprocess.run([sys.executable, "-c", OFFERING], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "1000"
