"""How many files this process may have open."""

from __future__ import annotations

try:
    import resource
except ImportError:  # Windows, where the limit is far away
    resource = None  # type: ignore[assignment]

__all__ = ["allow_open_files"]


def allow_open_files(count: int) -> int | None:
    """Raise this process's limit so that `count` files can be open; many systems start at
    1024 or 256 and allow more to whoever asks.

    None when they can be, else how many.
    """
    if resource is None:
        return None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= count:
        return None
    wanted = count if hard == resource.RLIM_INFINITY else min(count, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):  # macOS refuses what its kernel does not allow
        return soft
    return None if wanted >= count else wanted
