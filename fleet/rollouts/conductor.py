"""Carries rollouts out: looks, commits what follows, then tells the devices. The store is the only memory.

One thread looks at every rollout that can still change. What devices are told is in the store before it is published,
so a service that is killed in between publishes it after its restart; and a broker that lost what it retained gets all
of it again with the next connection. While the broker is away nothing is decided: silence is no answer.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime, timezone

from sqlalchemy import Connection, select

from edge.contract import topics
from fleet import audit, schema
from fleet.errors import FleetError
from fleet.ingest.ingest import Ingest
from fleet.rollouts import wishes
from fleet.rollouts.advance import advance, unsettled
from fleet.rollouts.rollout import Order, Rollout, State
from fleet.rollouts.rows import open_rollouts, read_facts, read_rollout, save_orders, save_rollout
from fleet.rollouts.wishes import with_settings
from fleet.settings import RolloutSettings
from fleet.store import Store

log = logging.getLogger(__name__)


class Rollouts:
    """The thread that carries rollouts out."""

    def __init__(self, store: Store, ingest: Ingest, settings: RolloutSettings) -> None:
        self._store, self._ingest, self._settings = store, ingest, settings
        self._stopping = threading.Event()
        self._session = 0
        self._looks_from = 0.0
        self._concerns: dict[str, str] = {}
        self._thread = threading.Thread(target=self._look_until_stopped, name="rollouts", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self, timeout_s: float = 1.0) -> None:
        """Finish the transaction under way."""
        self._stopping.set()
        self._thread.join(timeout_s)

    def _look_until_stopped(self) -> None:
        while not self._stopping.wait(self._settings.tick_s):
            with self._said_once("rollouts"):
                self._look()

    @contextmanager
    def _said_once(self, what: str) -> Iterator[None]:
        """Whatever goes wrong is tried again at the next look, and logged when it changes."""
        try:
            yield
        except Exception as error:
            if self._concerns.get(what) != str(error):
                unforeseen = not isinstance(error, FleetError)
                log.log(logging.ERROR, "%s stand still, trying again: %s", what, error, exc_info=unforeseen)
            self._concerns[what] = str(error)
        else:
            self._concerns.pop(what, None)

    def _look(self) -> None:
        if not self._ingest.connected:
            return
        session = self._ingest.session
        if session != self._session:
            self._tell_all()
            self._session = session
            self._looks_from = time.monotonic() + self._settings.settle_s
        if time.monotonic() < self._looks_from:
            return  # the broker still sends what it retained: who is there is not known yet
        with self._store.reading() as connection:
            names = open_rollouts(connection)
        for name in names:
            with self._said_once(f"the devices of rollout {name}"):  # one that cannot go on holds up no other
                self._carry_on(name)
        with self._said_once("wanted settings"):
            self._settle()

    def _settle(self) -> None:
        """Tell devices what is wanted of their settings, without holding up the ingest where nothing is new."""
        with self._store.reading() as connection:
            if not wishes.untold(connection):
                return
        with self._store.writing() as connection:
            news = wishes.settle(connection, datetime.now(timezone.utc))
        for device, desired in news:
            self._publish(device, desired.encode())

    def _carry_on(self, name: str) -> None:
        """Look without holding up the ingest first: most looks change nothing."""
        now = datetime.now(timezone.utc)
        with self._store.reading() as connection:
            if not changes_something(connection, name, now):
                return
        with self._store.writing() as connection:
            orders = carry_on(connection, name, now)
        self._tell(orders)

    def _tell(self, orders: Sequence[Order]) -> None:
        for order in orders:
            self._publish(order.device, order.desired.encode())

    def _tell_all(self) -> None:
        """Publish everything that devices were told: the broker may have lost what it retained."""
        devices, told = schema.devices, schema.desired
        query = select(devices.c.site, devices.c.device, told.c.payload).join_from(devices, told)
        with self._store.reading() as connection:
            rows = connection.execute(query).all()
        for row in rows:
            desired = topics.DESIRED.payload.model_validate(row.payload)
            self._publish(f"{row.site}/{row.device}", desired.encode())

    def _publish(self, device: str, payload: bytes) -> None:
        site, _, name = device.partition("/")
        self._ingest.publish(topics.Address(site, name, topics.DESIRED), payload)


def changes_something(connection: Connection, name: str, now: datetime) -> bool:
    """Whether a look would write anything."""
    before = read_rollout(connection, name)
    if before is None:
        return False
    fleet = read_facts(connection)
    step = advance(before, fleet, now)
    return bool(step.orders) or step.rollout != before or not unsettled(step.rollout, fleet)


def carry_on(connection: Connection, name: str, now: datetime) -> Sequence[Order]:
    """Look at one rollout and write down what follows, in the caller's transaction; returns what to tell devices."""
    before = read_rollout(connection, name, lock=True)
    if before is None:
        return ()
    fleet = read_facts(connection)
    step = advance(before, fleet, now)
    orders = with_settings(connection, step.orders)
    save_orders(connection, name, orders, now)
    still_open = bool(step.orders) or unsettled(step.rollout, fleet)
    save_rollout(connection, before, step.rollout, now, still_open=still_open)
    for action, detail in _news(before, step.rollout):
        audit.record(connection, audit.SERVICE, action, name, before.arms[0].model.digest, **detail)
        log.info("%s %s: %s", action, name, detail)
    return orders


def _news(before: Rollout, after: Rollout) -> list[tuple[str, dict[str, object]]]:
    """What the service did by itself, for the audit log."""
    if after.state is not before.state and after.state is State.HALTED:
        return [("rollout halt", {"reason": after.reason, "wave": after.wave + 1})]
    if after.state is not before.state and after.state is State.DONE:
        return [("rollout done", {})]
    if after.wave != before.wave:
        return [("rollout wave", {"wave": after.wave + 1, "devices": len(after.members(after.wave))})]
    return []
