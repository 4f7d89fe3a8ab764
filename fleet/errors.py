"""Every error a person who runs the fleet service can meet.

::

    FleetError                     1
    ├── ConfigError                2   the configuration cannot be used
    ├── PlanError                  2   a rollout's plan, or what was asked for with it, makes no sense
    ├── BadCursor                  2   where a page shall begin cannot be read
    ├── NotFound                   3   no such rollout, model or device
    ├── NotPossible                4   it exists, and as things stand this cannot be done with it
    ├── StoreError                 5
    │   ├── StoreUnavailable       5   busy, full or gone for now; trying again may help
    │   ├── StoreUnusable          5   damaged, or written by another release
    │   └── AuditBroken            5   the audit log is not what was written
    ├── BrokerError                6   the broker cannot be started or used as configured
    ├── PortTaken                  7   somebody else listens there
    ├── RetrainingFailed           1   a candidate could not be made; the log beside it says why
    ├── FrameRefused               1   a device sent a frame for training that cannot be used
    ├── FramesFull                 1   a device sent as many frames as it may today
    ├── RepositoryError            8   the update repository cannot be changed like that
    │   ├── KeyUnusable            8   a key cannot be read, or is not the role's
    │   ├── PackageRefused         8   what shall be published is not a package, or not the builder's
    │   └── SignaturesMissing      8   a change waits for more signatures
    └── AuthorityError             9   the certificate authority cannot be used like that
        ├── EnrolmentRefused       9   a device is given no certificate: its token or its last one is not good
        └── RequestRefused         9   what a device sent to be signed cannot be used

A message says what happened, with which value, and what to do next. The number is the exit code of ``canopy-fleet``.
"""


class FleetError(Exception):
    """Anything that the fleet service reports as its own."""

    exit_code = 1


class ConfigError(FleetError):
    """The configuration cannot be used."""

    exit_code = 2


class PlanError(FleetError):
    """A rollout's plan, or what was asked for with it, makes no sense."""

    exit_code = 2


class BadCursor(FleetError):
    """Where a page shall begin cannot be read."""

    exit_code = 2


class NotFound(FleetError):
    """No such rollout, model or device."""

    exit_code = 3


class NotPossible(FleetError):
    """It exists, and as things stand this cannot be done with it."""

    exit_code = 4


class StoreError(FleetError):
    """Something about the fleet's database."""

    exit_code = 5


class StoreUnavailable(StoreError):
    """The database is busy, its disk is full, or its server is gone: trying again may help."""


class StoreUnusable(StoreError):
    """The database is damaged, or another release wrote it."""


class AuditBroken(StoreError):
    """The audit log is not what was written: an entry was altered, removed or put in."""


class BrokerError(FleetError):
    """The broker cannot be started or used as configured."""

    exit_code = 6


class PortTaken(FleetError):
    """Somebody else listens on the port."""

    exit_code = 7


class RetrainingFailed(FleetError):
    """A step of a retraining did not end well; what was made before it is there."""


class FrameRefused(FleetError):
    """A frame that a device sent for training cannot be used."""


class FramesFull(FleetError):
    """A device sent as many frames for training as it may today."""


class RepositoryError(FleetError):
    """The update repository cannot be changed like that; it is as it was."""

    exit_code = 8


class KeyUnusable(RepositoryError):
    """A key cannot be read, is open to others, or is not one of the role's."""


class PackageRefused(RepositoryError):
    """What shall be published is no package, is damaged, or was not signed by the builder."""


class SignaturesMissing(RepositoryError):
    """A change waits for more signatures."""


class AuthorityError(FleetError):
    """The certificate authority cannot be used like that."""

    exit_code = 9


class EnrolmentRefused(AuthorityError):
    """A device is given no certificate: its token is not good, or its last certificate is not."""


class RequestRefused(AuthorityError):
    """What a device sent to be signed cannot be used."""
