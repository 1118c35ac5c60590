"""Lint protos/ with buf, offline.

buf resolves imports from its registry alone, so it is handed a descriptor image that protoc
makes with `google/rpc` taken from the googleapis-common-protos package.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

import google.rpc

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"


def main() -> int:
    """Run from the command line; the exit status is buf's."""
    common = Path(next(iter(google.rpc.__path__))).parent.parent
    sources = sorted(str(path) for path in PROTOS.rglob("*.proto"))
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image.binpb"
        protoc = [sys.executable, "-m", "grpc_tools.protoc", f"-I{PROTOS}", f"-I{common}"]
        flags = ["--include_imports", "--include_source_info", f"--descriptor_set_out={image}"]
        subprocess.run([*protoc, *flags, *sources], check=True)
        buf = Path(sys.executable).parent / "buf"
        lint = [str(buf), "lint", str(image), "--config", str(PROTOS / "buf.yaml")]
        return subprocess.run(lint, check=False).returncode


if __name__ == "__main__":
    raise SystemExit(main())
