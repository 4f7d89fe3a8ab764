"""The one place where errors of python-tuf, urllib3 and the disk become ours."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager

import urllib3
from tuf.api import exceptions

from edge.errors import NoRoom, UpdateError, UpdateExpired, UpdateRefused, UpdateUnreachable

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def errors_mapped(doing: str) -> Iterator[None]:
    """Raise what goes wrong inside as an ``UpdateError`` that begins with what was being done."""
    try:
        yield
    except exceptions.ExpiredMetadataError as error:
        raise UpdateExpired(
            f"{doing}: {error}. Either the clock is wrong, or someone holds back newer metadata, or nobody has signed "
            "any: see date, then canopy-fleet repo status"
        ) from error
    except exceptions.DownloadLengthMismatchError as error:
        raise UpdateRefused(f"{doing}: {error}; what is offered is more than was signed") from error
    except (exceptions.RepositoryError, UnicodeError) as error:
        raise UpdateRefused(
            f"{doing}: {error or type(error).__name__}. What is offered is not what was signed for this device; "
            "nothing was taken"
        ) from error
    except (exceptions.DownloadError, urllib3.exceptions.HTTPError) as error:
        raise UpdateUnreachable(f"{doing}: {error or type(error).__name__}; it is tried again later") from error
    except OSError as error:
        if error.errno in _FULL:
            raise NoRoom(f"{doing}: {error}; make room on that disk") from error
        raise UpdateError(f"{doing}: {error}; the folder must be one that this user may write to") from error
    except exceptions.StorageError as error:
        raise UpdateError(f"{doing}: {error}") from error
