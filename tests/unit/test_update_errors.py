"""Every error of python-tuf, urllib3 and the disk is one of ours, with the exit code and the hope that it deserves."""

import errno
import inspect

import pytest
import urllib3
from securesystemslib.exceptions import StorageError
from tuf.api import exceptions, serialization

from edge.errors import CanopyError, NoRoom, UpdateError, UpdateExpired, UpdateRefused, UpdateUnreachable
from edge.update.seam import errors_mapped

OF_TUF = [
    kind
    for module in (exceptions, serialization)
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, Exception)
]
MEANING: dict[type[Exception], type[UpdateError]] = {
    exceptions.ExpiredMetadataError: UpdateExpired,
    exceptions.DownloadLengthMismatchError: UpdateRefused,
    exceptions.RepositoryError: UpdateRefused,
    exceptions.DownloadError: UpdateUnreachable,
    StorageError: UpdateError,
}


def made(kind: type[Exception]) -> Exception:
    """One of a kind, whatever its constructor asks for."""
    return kind("x", 500) if kind is exceptions.DownloadHTTPError else kind("x")


def seen_as(error: Exception) -> UpdateError:
    with pytest.raises(UpdateError) as raised, errors_mapped("testing"):
        raise error
    assert raised.value.__cause__ is error
    assert str(raised.value).startswith("testing: ")
    assert raised.value.exit_code == 8
    return raised.value


@pytest.mark.parametrize("kind", OF_TUF, ids=lambda kind: kind.__name__)
def test_every_error_of_tuf_is_mapped(kind: type[Exception]) -> None:
    expected = next(ours for theirs, ours in MEANING.items() if issubclass(kind, theirs))
    assert type(seen_as(made(kind))) is expected


@pytest.mark.parametrize(
    "error",
    [
        urllib3.exceptions.ProtocolError("broken"),
        urllib3.exceptions.SSLError("no"),
        urllib3.exceptions.LocationParseError("http://["),
        exceptions.SlowRetrievalError(),
    ],
)
def test_whatever_the_network_does_is_tried_again(error: Exception) -> None:
    assert type(seen_as(error)) is UpdateUnreachable


@pytest.mark.parametrize(
    ("number", "expected"), [(errno.ENOSPC, NoRoom), (errno.EDQUOT, NoRoom), (errno.EROFS, UpdateError)]
)
def test_a_full_disk_is_told_apart_from_a_broken_one(number: int, expected: type[UpdateError]) -> None:
    assert type(seen_as(OSError(number, "disk"))) is expected


def test_a_name_that_no_url_can_have_is_refused() -> None:
    assert type(seen_as(UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed"))) is UpdateRefused


def test_our_own_errors_pass_as_they_are() -> None:
    error = CanopyError("ours")
    with pytest.raises(CanopyError) as raised, errors_mapped("testing"):
        raise error
    assert raised.value is error
