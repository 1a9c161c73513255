"""Origin request, Lambda@Edge: which key at this origin? `/x` of build `id` is `/builds/<id>/x`.

Idempotent, because it runs again when an origin group fails over. It changes the path only: another S3 origin chosen
here would not be signed for. It imports nothing, for imports are what a cold start is made of.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def handler(event: "dict[str, Any]", context: object) -> "dict[str, Any]":
    """Puts the build chosen at viewer request before the path."""
    request: dict[str, Any] = event["Records"][0]["cf"]["request"]
    values = request["headers"].get("x-build-id")
    build = values[0]["value"] if values else ""
    if not build:
        # Viewer request always sets it; without it any answer might be another build's.
        return {"status": "503", "headers": {"cache-control": [{"key": "Cache-Control", "value": "no-store"}]}}
    if build == "shared" and request["uri"].startswith(("/shared/", "/builds/")):
        # Viewer request has named the whole key, of a hashed file outside the hashed folders.
        return request
    prefix = f"/builds/{build}/"
    if not request["uri"].startswith(prefix):
        request["uri"] = prefix + request["uri"].removeprefix("/")
    return request
