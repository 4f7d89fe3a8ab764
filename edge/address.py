"""A camera's address as it may be shown."""

from urllib.parse import urlsplit


def public_address(url: str) -> str:
    """What of a camera's address may be shown: scheme, host and port. Makers put passwords in all other places."""
    scheme = url.partition("://")[0]
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return f"{scheme}://"
    if "@" in url[url.index(parts.netloc) + len(parts.netloc) :]:  # a password with a slash: this is not the host
        return f"{scheme}://"
    return f"{scheme}://{host}:{port}" if port else f"{scheme}://{host}"
