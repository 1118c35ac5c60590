"""Write a model as a folder in Hugging Face layout, where another one may stand already."""

import json
import shutil
from pathlib import Path

from scripts.base_model.letters import VOCABULARY
from thanosql_ctc.checkpoint import save_checkpoint
from thanosql_ctc.families import CtcModel
from thanosql_runtime.whole_files import write_whole


def publish(model: CtcModel, folder: Path) -> None:
    """Replace a model folder's files; its README.md stays.

    Each file is complete before it takes its name, the weights last. Weights are halved to 16 bits; the
    configuration asks for 32, so that a load without arguments computes in 32 on a CPU.
    """
    draft = folder.with_name(f".{folder.name}.draft")
    save_checkpoint(draft, model, VOCABULARY, half=True)
    _compute_in_32_bits(draft / "config.json")
    folder.mkdir(parents=True, exist_ok=True)
    for path in sorted(draft.iterdir(), key=lambda path: path.suffix == ".safetensors"):
        path.chmod(0o644)  # safetensors writes for the owner alone; servers run as another user
        path.replace(folder / path.name)
    shutil.rmtree(draft)


def _compute_in_32_bits(path: Path) -> None:
    configuration = json.loads(path.read_text(encoding="utf-8")) | {"dtype": "float32"}
    write_whole(path, (json.dumps(configuration, indent=2) + "\n").encode())
