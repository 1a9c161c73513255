"""Where we reach into ministack: private names, each checked before it is replaced."""

from typing import Any

from bluegreen_cdn.errors import LocalCloudError

MINISTACK_VERSION = "1.5.33"


def check_version(found: str | None) -> None:
    """Refuse any ministack but the one whose private names we know.

    Raises:
        LocalCloudError: It is not installed, or another version is.
    """
    if found is None:
        raise LocalCloudError(
            f"ministack is not installed; the local cloud needs ministack=={MINISTACK_VERSION}: "
            "pip install 'bluegreen-cdn[local]'"
        )
    if found != MINISTACK_VERSION:
        raise LocalCloudError(
            f"ministack {found} is installed, the local cloud needs exactly {MINISTACK_VERSION} "
            f"(it extends private names): pip install ministack=={MINISTACK_VERSION}"
        )


def require(holder: Any, *names: str) -> None:
    """Check that a module or class has the names that we use.

    Raises:
        LocalCloudError: A name is missing.
    """
    for name in names:
        if not hasattr(holder, name):
            where = getattr(holder, "__name__", repr(holder))
            raise LocalCloudError(
                f"{where} has no {name}: this is not the ministack that the local cloud extends ({MINISTACK_VERSION})"
            )


def replace(holder: Any, name: str, replacement: Any) -> Any:
    """Put `replacement` in the place of `holder.name`, and give what stood there."""
    require(holder, name)
    original = getattr(holder, name)
    setattr(holder, name, replacement)
    return original
