"""What a new workspace starts with: the base models, and a model that is ready to use."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from services.storage.core.models.checkpoints import (
    BASE,
    KOREAN,
    OWN_SETTINGS,
    PREBUILT,
    RECOGNISER,
    TEXT_ENCODER,
    WHISPER,
    CheckpointKind,
    architecture_of,
    named,
    unavailable,
)
from services.storage.core.models.models import ModelCatalog
from services.storage.core.types import Artefact, ModelKind, ModelVersion
from thanosql_objects.ports import ObjectStore
from thanosql_runtime.errors import Reason, ThanosqlError

_SEEDED = "catalog/seeded.json"

Download = Callable[[str], Path]


@dataclass(frozen=True, kw_only=True)
class SeedPlan:
    """Which checkpoints a workspace starts with.

    Attributes:
        bundled: Folder of the checkpoint that comes with the program.
        configured: Folder or hub name of the base recogniser; empty for the bundled one.
        korean: Folder or hub name of the Korean base; empty for none, or for the one that there is.
        others: Folders or hub names of more base recognisers, by their names.
        whisper: Folder or hub name of a Whisper; empty for none, or for the one that there is.
        text_encoder: Folder or hub name of the text encoder; empty for none, or for the one that there is.
    """

    bundled: Path
    configured: str = ""
    korean: str = ""
    others: Mapping[str, str] = field(default_factory=dict)
    whisper: str = ""
    text_encoder: str = ""


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

        What a user deleted does not come back. A configured checkpoint becomes a new version of its
        base when it is another one than before. All but the first recogniser stay when their settings go:
        models were built from them, and tables are made with the text encoder.

        Raises:
            ThanosqlError: BASE_MODEL_UNAVAILABLE for a configured checkpoint that cannot be had.
        """
        done = self._seed_recogniser(plan)
        done += self._seed_configured(KOREAN, plan.korean)
        for name, configured in plan.others.items():
            done += self._seed_configured(_other(name, configured), configured)
        done += self._seed_configured(WHISPER, plan.whisper)
        return (*done, *self._seed_configured(TEXT_ENCODER, plan.text_encoder))

    def _seed_recogniser(self, plan: SeedPlan) -> list[str]:
        done: list[str] = []
        seeded = self._seeded()
        if plan.bundled.is_dir():
            for name, kind in ((BASE, ModelKind.BASE), (PREBUILT, ModelKind.PREBUILT)):
                if name not in seeded:
                    origin = _bundled_origin(plan.bundled)
                    self._register(RECOGNISER, plan.bundled, origin, name=name, kind=kind)
                    done.append(f"model {name}: {_bundled_origin(plan.bundled)}")
                    seeded[name] = ""
                    self._remember(seeded)
        elif BASE not in seeded and not plan.configured:
            done.append(f"no bundled checkpoint at {plan.bundled}: there is no {BASE} and no {PREBUILT}")
        if plan.configured and seeded.get(BASE) != plan.configured:
            done.append(self._configure(RECOGNISER, plan.configured))
            self._remember(seeded | {BASE: plan.configured})
        elif not plan.configured and seeded.get(BASE) and plan.bundled.is_dir():
            self._register(RECOGNISER, plan.bundled, _bundled_origin(plan.bundled))
            done.append(f"model {BASE}: {_bundled_origin(plan.bundled)} again")
            self._remember(seeded | {BASE: ""})
        return done

    def _seed_configured(self, checkpoint: CheckpointKind, configured: str) -> list[str]:
        seeded = self._seeded()
        if not configured or seeded.get(checkpoint.base) == configured:
            return []
        self._require_own(checkpoint, configured)
        line = self._configure(checkpoint, configured)
        self._remember(seeded | {checkpoint.base: configured})
        return [line]

    def _require_own(self, checkpoint: CheckpointKind, configured: str) -> None:
        """Refuse a name that a model of a user has, whose versions are not ours to add to."""
        if any(model.kind is not ModelKind.BASE for model in self._versions(checkpoint.base)):
            because = f"a model of the name {checkpoint.base} was built here, which has to be deleted first"
            raise unavailable(checkpoint, configured, because)

    def _configure(self, checkpoint: CheckpointKind, configured: str) -> str:
        folder, origin = Path(configured), f"folder {configured}"
        if not folder.is_dir():
            folder, origin = self._fetched(checkpoint, configured), f"hub {configured}"
        self._register(checkpoint, folder, origin)
        return f"model {checkpoint.base}: {origin}"

    def _fetched(self, checkpoint: CheckpointKind, name: str) -> Path:
        if Path(name).is_absolute() or name.startswith(".") or name.count("/") > 1:
            raise unavailable(checkpoint, name, "there is no such folder")
        try:
            return self._download(name)
        except ThanosqlError:
            raise
        # The hub's client raises errors of many unrelated libraries.
        except Exception as problem:
            why = str(problem).split("\n", 1)[0][:200]
            because = f"it is no folder, and the hub did not give it: {why}"
            raise unavailable(checkpoint, name, because) from problem

    def _register(
        self,
        checkpoint: CheckpointKind,
        folder: Path,
        origin: str,
        *,
        name: str = "",
        kind: ModelKind = ModelKind.BASE,
    ) -> None:
        checkpoint.require(folder, origin)
        name = name or checkpoint.base
        version = 1 + max((model.version for model in self._versions(name)), default=0)
        files = checkpoint.files(folder)
        artefacts = tuple(self._put(name, version, file, files[file]) for file in sorted(files))
        model = ModelVersion(
            name=name,
            version=version,
            kind=kind,
            base="" if kind is ModelKind.BASE else f"{checkpoint.base}.1",
            origin=origin,
            artefacts=artefacts,
            metrics=_metrics(folder),
            family=checkpoint.family,
            properties=_properties(folder),
        )
        # Two processes that start at once make one version of it.
        self._catalog.register(model, overwrite=True, request_id=f"seed {version}")

    def _versions(self, name: str) -> tuple[ModelVersion, ...]:
        try:
            return self._catalog.versions(name)
        except ThanosqlError as problem:
            if problem.reason is Reason.MODEL_NOT_FOUND:
                return ()
            raise

    def _put(self, name: str, version: int, file: str, path: Path) -> Artefact:
        info = self._store.upload_from(f"models/{name}/{version}/{file}", path)
        return Artefact(key=info.key, name=file, sha256=info.sha256, size_bytes=info.size_bytes)

    def _seeded(self) -> dict[str, str]:
        """Return what was seeded before: names, each with the configured checkpoint behind it."""
        if not self._store.exists(_SEEDED):
            return {}
        return {str(name): str(origin) for name, origin in json.loads(self._store.read(_SEEDED)).items()}

    def _remember(self, seeded: dict[str, str]) -> None:
        self._store.write(_SEEDED, [json.dumps(seeded).encode()])


def _other(name: str, configured: str) -> CheckpointKind:
    checkpoint = named(name)
    if name == PREBUILT:
        raise unavailable(checkpoint, configured, "the model of that name is no base")
    if name in OWN_SETTINGS:
        raise unavailable(checkpoint, configured, f"the setting of {name} is {OWN_SETTINGS[name]}")
    if not configured:
        raise unavailable(checkpoint, configured, "nothing is named")
    return checkpoint


def _properties(folder: Path) -> dict[str, str]:
    architecture = architecture_of(folder)
    return {"architecture": architecture} if architecture else {}


def _metrics(folder: Path) -> dict[str, float]:
    """Return what the checkpoint's own metrics.json says, where it has one."""
    path = folder / "metrics.json"
    if not path.is_file():
        return {}
    measured = json.loads(path.read_text(encoding="utf-8"))
    return {name: float(value) for name, value in measured.items() if isinstance(value, int | float)}


def _bundled_origin(folder: Path) -> str:
    return f"bundled {folder.name}"
