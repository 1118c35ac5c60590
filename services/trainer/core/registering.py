"""Makes a trained version known; finds out what came of it when the answer was lost.

The catalog may go on after the call for it has failed: it may still be comparing digests when the deadline
ends the wait, or the connection may break after its commit. The files of a version may be deleted only when
it is certain that the catalog does not name them.
"""

import asyncio
from collections.abc import Sequence

import structlog

from services.trainer.core.ports import Catalog
from services.trainer.core.types import Model
from services.trainer.core.uninterrupted import is_being_cancelled, uninterrupted
from thanosql_runtime.errors import Reason, ThanosqlError

RETRY_DELAYS_S = (0.5, 1.0, 2.0, 4.0, 8.0)

# After these nobody knows whether the version was registered.
_UNCLEAR = frozenset(
    {
        Reason.DEADLINE_EXCEEDED,
        Reason.PEER_UNAVAILABLE,
        Reason.CANCELLED,
        Reason.INTERNAL,
        Reason.STORE_UNAVAILABLE,
    }
)

_log = structlog.get_logger("registering")


class UnclearRegistrationError(ThanosqlError):
    """Nobody could tell whether the version was registered: its files must stay."""


class Registrar:
    """Registers versions, each once.

    Args:
        catalog: Knows the models.
        delays_s: Waits before the same registration is asked for again.
    """

    def __init__(self, catalog: Catalog, delays_s: Sequence[float] = RETRY_DELAYS_S) -> None:
        self._catalog = catalog
        self._delays_s = delays_s

    async def register(self, model: Model, *, prefix: str, overwrite: bool, request_id: str) -> Model:
        """Register a version; an answer that was lost is asked for again under the same id.

        Args:
            model: The version, its files stored.
            prefix: Where its files lie, and those of no other version.
            overwrite: Whether the name may exist.
            request_id: The same id registers once.

        Raises:
            UnclearRegistrationError: Nobody could tell what came of it; the reason is that of the last try.
            ThanosqlError: The catalog refused, and no version of it has files under the prefix.
        """
        try:
            return await self._until_clear(model, overwrite, request_id)
        except ThanosqlError as failure:
            found = await self._found_after(failure, model.name, prefix)
            if found is not None:
                return found
            if failure.reason in _UNCLEAR:
                raise _unclear(failure, model.name, prefix) from failure
            raise

    async def find(self, name: str, prefix: str) -> Model | None:
        """Find the version, active or not, whose files lie under the prefix."""
        for model in await self._catalog.versions(name):
            if any(artefact.key.startswith(prefix) for artefact in model.artefacts):
                return model
        return None

    async def _until_clear(self, model: Model, overwrite: bool, request_id: str) -> Model:
        for delay_s in self._delays_s:
            try:
                return await self._once(model, overwrite, request_id)
            except ThanosqlError as failure:
                if failure.reason not in _UNCLEAR or not await _waited(delay_s):
                    raise
                _log.warning("registration unclear, asking again", model=model.name, error=str(failure))
        return await self._once(model, overwrite, request_id)

    async def _once(self, model: Model, overwrite: bool, request_id: str) -> Model:
        # Once begun it is too late to cancel, since nobody could tell what came of it.
        return await uninterrupted(self._catalog.register(model, overwrite=overwrite, request_id=request_id))

    async def _found_after(self, failure: ThanosqlError, name: str, prefix: str) -> Model | None:
        try:
            return await uninterrupted(self.find(name, prefix))
        except ThanosqlError as second:
            raise _unclear(failure, name, prefix) from second


async def _waited(delay_s: float) -> bool:
    """Wait; False at once where the job is being cancelled, since it shall end soon."""
    if is_being_cancelled():
        return False
    try:
        await asyncio.sleep(delay_s)
    except asyncio.CancelledError:
        return False
    return True


def _unclear(failure: ThanosqlError, name: str, prefix: str) -> UnclearRegistrationError:
    return UnclearRegistrationError(
        reason=failure.reason,
        message=(
            "the files of the model are stored, but storage did not tell whether it was registered"
            f" ({failure.message}); SHOW MODEL VERSIONS {name} tells;"
            f" the files stay under {prefix!r}"
        ),
        metadata={**failure.metadata, "prefix": prefix},
    )
