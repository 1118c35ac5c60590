"""Put the root and libs/ of this checkout on the path of the running interpreter's environment.

.venv/bin/python scripts/link_tree.py
"""

import site
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    """Write the path file that `site` reads at every start."""
    link = Path(site.getsitepackages()[0]) / "thanosql_tree.pth"
    link.write_text(f"{ROOT}\n{ROOT / 'libs'}\n", encoding="utf-8")


if __name__ == "__main__":
    main()
