"""Generate the stubs of protos/ into sdk/thanosql/v1, or check that the committed ones are current.

python scripts/gen_protos.py            # writes
python scripts/gen_protos.py --check    # exits 1 and names what differs
"""

import argparse
import filecmp
import subprocess
import sys
import tempfile
from pathlib import Path

import grpc_tools

ROOT = Path(__file__).resolve().parent.parent
PROTOS = ROOT / "protos"
PACKAGE = Path("thanosql/v1")


def generate(destination: Path) -> None:
    """Write messages, services and their type stubs below `destination`."""
    plugins = Path(sys.executable).parent
    well_known = Path(grpc_tools.__file__).parent / "_proto"
    status = Path(__import__("google.rpc", fromlist=["status_pb2"]).__path__[0]).parent.parent
    sources = sorted(str(path) for path in (PROTOS / PACKAGE).glob("*.proto"))
    subprocess.run(
        [
            sys.executable,
            "-m",
            "grpc_tools.protoc",
            f"--plugin=protoc-gen-mypy={plugins / 'protoc-gen-mypy'}",
            f"--plugin=protoc-gen-mypy_grpc={plugins / 'protoc-gen-mypy_grpc'}",
            f"-I{PROTOS}",
            f"-I{well_known}",
            f"-I{status}",
            f"--python_out={destination}",
            f"--grpc_python_out={destination}",
            f"--mypy_out={destination}",
            f"--mypy_grpc_out={destination}",
            *sources,
        ],
        check=True,
    )
    (destination / PACKAGE / "__init__.py").write_text("")


def stale(committed: Path, fresh: Path) -> list[str]:
    """Names that differ, or stand on one side alone."""
    names = {path.name for folder in (committed, fresh) for path in folder.glob("*.py*")}
    _, different, missing = filecmp.cmpfiles(committed, fresh, sorted(names), shallow=False)
    return [*different, *missing]


def main() -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare, write nothing")
    arguments = parser.parse_args()
    if not arguments.check:
        generate(ROOT / "sdk")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        generate(Path(folder))
        differing = stale(ROOT / "sdk" / PACKAGE, Path(folder) / PACKAGE)
    for name in differing:
        print(f"{PACKAGE / name} is not what protos/ gives; run `make protos`", file=sys.stderr)
    return 1 if differing else 0


if __name__ == "__main__":
    raise SystemExit(main())
