"""What a device says of its model and its update. Pure: slots in, message out."""

from dataclasses import dataclass

from edge.clock import boot_id, utc_now
from edge.contract.control import ModelRef, Phase, Reported, ShadowReport
from edge.update.slots import Failed, Slots, Update


@dataclass(frozen=True, slots=True)
class Progress:
    """What a step says while it lasts: how much of it is done, what it waits for, what was compared."""

    share: float | None = None
    reason: str = ""
    shadow: ShadowReport | None = None


def report(slots: Slots, hardware: str, factory: ModelRef | None, progress: Progress, *, held: bool) -> Reported:
    """The message of this moment.

    An attempt that failed and will be made again is no end yet: the phase is ``idle`` until it is tried again.
    """
    order = slots.order
    wanted = order.wanted if order else None
    told = Reported(
        at=utc_now(),
        boot_id=boot_id(),
        revision=order.revision if order else 0,
        hardware=hardware,
        active=slots.ref(slots.active, factory),
        fallback=slots.ref(slots.fallback, factory) if slots.fallback else None,
        wanted=wanted.model if wanted else None,
        rollout=wanted.rollout if wanted else None,
        progress=progress.share,
        reason=progress.reason,
        held=held,
        shadow=progress.shadow,
    )
    return told.model_copy(update=_standing(slots, told))


def in_words(reported: Reported) -> str:
    """What is worth a technician's attention; nothing where all is as it is wanted."""
    held = "held" if reported.held else ""
    if reported.wanted is None or reported.phase in {None, Phase.CONFIRMED}:
        return held
    name = f"{reported.wanted.name} {reported.wanted.version} {reported.phase.value.replace('_', ' ')}"
    return ", ".join(part for part in (name, reported.reason, held) if part)


def _standing(slots: Slots, told: Reported) -> dict[str, object]:
    """The phase, and with an end its reason."""
    update, wanted = slots.update, told.wanted
    if update and update.busy:
        return {"phase": update.phase}
    if wanted is None:
        return {"phase": Phase.IDLE}
    if told.active and told.active.digest == wanted.digest:
        return {"phase": Phase.CONFIRMED}
    tried = update if update and update.model.digest == wanted.digest else None
    return _failure(slots.refuses(wanted.digest), tried)


def _failure(failed: Failed | None, tried: Update | None) -> dict[str, object]:
    """How the wanted model failed, if it did: for good, or until the next attempt."""
    if failed:
        reason = f"not tried again until somebody asks for that: {failed.reason}"
        return {"phase": tried.phase if tried else Phase.REFUSED, "failure": failed.failure, "reason": reason}
    if tried is None:
        return {"phase": Phase.IDLE}
    if tried.phase is Phase.ROLLED_BACK:
        return {"phase": tried.phase, "failure": tried.failure, "reason": tried.reason}
    return {"phase": Phase.IDLE, "reason": f"an attempt failed and is made once more: {tried.reason}"}
