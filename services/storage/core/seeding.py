"""What a new workspace starts with: the base model, and a model that is ready to use."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from services.storage.core.models import ModelCatalog
from services.storage.core.types import Artefact, ModelKind, ModelVersion
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError, error

BASE = "Wav2Vec2En"
PREBUILT = "tutorial_audio_recognition"
_SEEDED = "catalog/seeded.json"
_REQUIRED = ("config.json", "model.safetensors", "vocab.json")
_KEPT = frozenset({".json", ".safetensors", ".txt"})
_MEND = (
    "set THANOSQL_STORAGE__WAV2VEC2_EN to a folder in Hugging Face layout, or unset it to use the bundled one"
)

Download = Callable[[str], Path]


@dataclass(frozen=True, kw_only=True)
class SeedPlan:
    """Which checkpoints a workspace starts with.

    Attributes:
        bundled: Folder of the checkpoint that comes with the program.
        configured: Folder or hub name of the base model; empty for the bundled one.
    """

    bundled: Path
    configured: str = ""


class Seeder:
    """Puts the first models into a workspace, once.

    Args:
        catalog: Where they are registered.
        store: Where their files go.
        download: Fetches a checkpoint from the hub by its name, and returns its local folder.
    """

    def __init__(self, catalog: ModelCatalog, store: ObjectStore, download: Download) -> None:
        self._catalog = catalog
        self._store = store
        self._download = download

    def seed(self, plan: SeedPlan) -> tuple[str, ...]:
        """Register what is missing, and return a line for each thing that was done or is lacking.

        What a user deleted does not come back. A configured checkpoint becomes a new version of the
        base when it is another one than before.

        Raises:
            ThanosqlError: BASE_MODEL_UNAVAILABLE for a configured checkpoint that cannot be had.
        """
        done: list[str] = []
        seeded = self._seeded()
        if plan.bundled.is_dir():
            for name, kind in ((BASE, ModelKind.BASE), (PREBUILT, ModelKind.PREBUILT)):
                if name not in seeded:
                    self._register(name, kind, plan.bundled, _bundled_origin(plan.bundled))
                    done.append(f"model {name}: {_bundled_origin(plan.bundled)}")
                    seeded[name] = ""
                    self._remember(seeded)
        elif BASE not in seeded and not plan.configured:
            done.append(f"no bundled checkpoint at {plan.bundled}: there is no {BASE} and no {PREBUILT}")
        if plan.configured and seeded.get(BASE) != plan.configured:
            done.append(self._configure(plan.configured))
            self._remember(seeded | {BASE: plan.configured})
        elif not plan.configured and seeded.get(BASE) and plan.bundled.is_dir():
            self._register(BASE, ModelKind.BASE, plan.bundled, _bundled_origin(plan.bundled))
            done.append(f"model {BASE}: {_bundled_origin(plan.bundled)} again")
            self._remember(seeded | {BASE: ""})
        return tuple(done)

    def _configure(self, configured: str) -> str:
        folder, origin = Path(configured), f"folder {configured}"
        if not folder.is_dir():
            folder, origin = self._fetched(configured), f"hub {configured}"
        self._register(BASE, ModelKind.BASE, folder, origin)
        return f"model {BASE}: {origin}"

    def _fetched(self, name: str) -> Path:
        if Path(name).is_absolute() or name.startswith(".") or name.count("/") > 1:
            raise _unavailable(name, "there is no such folder")
        try:
            return self._download(name)
        except ThanosqlError:
            raise
        # The hub's client raises errors of many unrelated libraries.
        except Exception as problem:
            why = str(problem).split("\n", 1)[0][:200]
            raise _unavailable(name, f"it is no folder, and the hub did not give it: {why}") from problem

    def _register(self, name: str, kind: ModelKind, folder: Path, origin: str) -> None:
        _require_checkpoint(folder, origin)
        version = 1 + max((model.version for model in self._versions(name)), default=0)
        artefacts = tuple(self._put(name, version, path) for path in _files(folder))
        base = "" if kind is ModelKind.BASE else f"{BASE}.1"
        model = ModelVersion(
            name=name, version=version, kind=kind, base=base, origin=origin, artefacts=artefacts,
            metrics=_metrics(folder),
        )  # fmt: skip
        # Two processes that start at once make one version of it.
        self._catalog.register(model, overwrite=True, request_id=f"seed {version}")

    def _versions(self, name: str) -> tuple[ModelVersion, ...]:
        try:
            return self._catalog.versions(name)
        except ThanosqlError as problem:
            if problem.reason is Reason.MODEL_NOT_FOUND:
                return ()
            raise

    def _put(self, name: str, version: int, path: Path) -> Artefact:
        info = self._store.upload_from(f"models/{name}/{version}/{path.name}", path)
        return Artefact(key=info.key, name=path.name, sha256=info.sha256, size_bytes=info.size_bytes)

    def _seeded(self) -> dict[str, str]:
        """Return what was seeded before: names, each with the configured checkpoint behind it."""
        if not self._store.exists(_SEEDED):
            return {}
        return {str(name): str(origin) for name, origin in json.loads(self._store.read(_SEEDED)).items()}

    def _remember(self, seeded: dict[str, str]) -> None:
        self._store.write(_SEEDED, [json.dumps(seeded).encode()])


def _require_checkpoint(folder: Path, origin: str) -> None:
    missing = [name for name in _REQUIRED if not (folder / name).is_file()]
    if missing:
        raise _unavailable(origin, f"it lacks {', '.join(missing)}")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file() and path.suffix in _KEPT)


def _metrics(folder: Path) -> dict[str, float]:
    """Return what the checkpoint's own metrics.json says, where it has one."""
    path = folder / "metrics.json"
    if not path.is_file():
        return {}
    measured = json.loads(path.read_text(encoding="utf-8"))
    return {name: float(value) for name, value in measured.items() if isinstance(value, int | float)}


def _bundled_origin(folder: Path) -> str:
    return f"bundled {folder.name}"


def _unavailable(name: str, why: str) -> ThanosqlError:
    message = f"the checkpoint {name!r} for {BASE} cannot be had: {why}; {_MEND}"
    return error(Reason.BASE_MODEL_UNAVAILABLE, message, checkpoint=name)
