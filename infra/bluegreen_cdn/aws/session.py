"""Clients of AWS, and what its errors are called here.

Everything that talks to AWS gets its client from `client()` and wraps its calls in `translate_errors()`, so that no
caller ever sees an exception of botocore. The SDK is loaded with the first client: it takes a fifth of a second.
"""

import functools
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from bluegreen_cdn.defaults import AWS_CONNECT_TIMEOUT_SECONDS, AWS_READ_TIMEOUT_SECONDS, AWS_RETRY_ATTEMPTS
from bluegreen_cdn.errors import AccessDenied, CloudError, NotFound, PreconditionFailed, Throttled

if TYPE_CHECKING:
    from botocore.exceptions import ClientError

_KEY_VALUE_STORE = "cloudfront-keyvaluestore"
_IDENTITY_VARIABLES = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE")
_lock = threading.Lock()

_NOT_FOUND = {"404", "NotFound", "NoSuchKey", "NoSuchBucket", "NoSuchVersion", "ParameterNotFound"}
_PRECONDITION = {
    "412",
    "PreconditionFailed",
    "ConditionalRequestConflict",
    "ConflictException",
    "InvalidIfMatchVersion",
}
_DENIED = {
    "403",
    "AccessDenied",
    "AccessDeniedException",
    "Forbidden",
    "UnauthorizedOperation",
    "SignatureDoesNotMatch",
}
_IDENTITY = {
    "ExpiredToken",
    "ExpiredTokenException",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "UnrecognizedClientException",
}
_CLOCK = {"RequestTimeTooSkewed", "RequestExpired"}
_THROTTLED = {
    "429",
    "503",
    "SlowDown",
    "Throttling",
    "ThrottlingException",
    "TooManyRequestsException",
    "RequestLimitExceeded",
}


def client(
    service: str,
    region: str | None = None,
    *,
    connections: int = 10,
    attempts: int = AWS_RETRY_ATTEMPTS,
    endpoint: str | None = None,
    profile: str | None = None,
) -> Any:
    """A client of one AWS service.

    Safe to share between threads. `AWS_ENDPOINT_URL` and `AWS_ENDPOINT_URL_<SERVICE>` work as everywhere.

    Args:
        service: The SDK's service name, such as `s3`.
        region: The region. Default: what the environment and the profile say.
        connections: Connections kept open, at least the number of threads that share the client. Default: 10.
        attempts: How often a call is made before its error counts. Default: 6.
        endpoint: The service's address. Default: what the environment says, or AWS's.
        profile: The profile that has the credentials. Default: what the environment says.

    Raises:
        CloudError: No region or profile is configured.
    """
    from botocore.config import Config

    elsewhere = endpoint or _endpoint_url(service)
    config = Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        max_pool_connections=connections,
        connect_timeout=AWS_CONNECT_TIMEOUT_SECONDS,
        read_timeout=AWS_READ_TIMEOUT_SECONDS,
        user_agent_extra="bluegreen-cdn",
        # Buckets as host names need a wildcard in DNS, which stores of other makes and of this machine lack.
        s3={"addressing_style": "path"} if elsewhere else None,
    )
    with translate_errors(service, "CreateClient"), _lock:  # the SDK's sessions are not safe to share between threads
        made = _session(profile, _identity()).client(service, region_name=region, config=config, endpoint_url=endpoint)
    if elsewhere and service == _KEY_VALUE_STORE:
        strip = functools.partial(_strip_account_from_host, endpoint=elsewhere)
        made.meta.events.register(f"before-sign.{service}", strip)
    return made


class LazyClient:
    """A client that is made when it is first used; for whoever mostly gets along without the SDK.

    Args:
        service: As for `client`.
        region: As for `client`.
        connections: As for `client`.
    """

    def __init__(self, service: str, region: str | None = None, *, connections: int = 10) -> None:
        self._make = functools.cache(functools.partial(client, service, region, connections=connections))

    def __getattr__(self, name: str) -> Any:
        """Whatever the client has."""
        return getattr(self._make(), name)


def credentials(profile: str | None = None) -> Any:
    """The credentials that clients sign with, as they are now (`access_key`, `secret_key`, `token`).

    Those that expire are renewed by the SDK some minutes before they do.

    Args:
        profile: The profile that has them. Default: what the environment says.

    Raises:
        AccessDenied: There are none.
    """
    with translate_errors("sts", "GetCredentials"):
        with _lock:
            found = _session(profile, _identity()).get_credentials()
        if found is None:
            from botocore.exceptions import NoCredentialsError

            raise NoCredentialsError
        return found.get_frozen_credentials()


@contextmanager
def translate_errors(service: str, operation: str, thing: str = "") -> Iterator[None]:
    """Turn the SDK's errors into ours.

    Args:
        service: The SDK's service name, such as `s3`.
        operation: The API operation, such as `PutObject`.
        thing: What the call is about, for the message. Default: not said.

    Raises:
        NotFound: It does not exist.
        PreconditionFailed: A conditional write lost.
        AccessDenied: The caller may not, or its credentials have expired.
        Throttled: The retries are used up.
        CloudError: Anything else that the SDK raised.
    """
    try:
        yield
    except Exception as error:
        translated = _translated(error, service, operation, thing)
        if translated is None:
            raise
        raise translated from error


def _translated(error: Exception, service: str, operation: str, thing: str) -> CloudError | None:
    """Our error for one of the SDK's; None for any other."""
    if "botocore" not in sys.modules:
        return None
    from botocore import exceptions as sdk

    if isinstance(error, sdk.ClientError):
        return _of_client_error(error, service, operation, thing)
    if not isinstance(error, sdk.BotoCoreError):
        return None
    kind, said = CloudError, str(error).rstrip(".")
    if isinstance(error, sdk.NoCredentialsError | sdk.PartialCredentialsError):
        kind, said = AccessDenied, "no AWS credentials found; set AWS_PROFILE, or log in first"
    elif isinstance(error, sdk.NoRegionError):
        said = "no region configured; set AWS_REGION"
    message = f"{_call(service, operation, thing)}: {said}"
    return kind(message, service=service, operation=operation, code=type(error).__name__)


def _of_client_error(error: "ClientError", service: str, operation: str, thing: str) -> CloudError:
    code = str(error.response.get("Error", {}).get("Code", ""))
    said = str(error.response.get("Error", {}).get("Message", "")).rstrip(".")
    status = str(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", ""))
    kind, advice = _kind_of(code, status)
    message = f"{_call(service, operation, thing)}: {code}{': ' if said else ''}{said}{advice}"
    return kind(message, service=service, operation=operation, code=code)


def _kind_of(code: str, status: str) -> tuple[type[CloudError], str]:
    if code in _IDENTITY:
        return AccessDenied, "; the credentials are not valid, or no longer: log in again"
    if code in _CLOCK:
        return AccessDenied, "; this machine's clock is off by more than signatures allow: set it"
    if code in _NOT_FOUND or code.endswith(("NotFoundException", "DoesNotExistException", "DoesNotExist")):
        return NotFound, ""
    if code in _PRECONDITION or status == "412":
        return PreconditionFailed, ""
    if code in _DENIED or status == "403":
        return AccessDenied, "; the caller lacks the permission for it"
    if code in _THROTTLED or status in {"429", "503"}:
        return Throttled, f"; asked {AWS_RETRY_ATTEMPTS} times: try again later, or with fewer workers"
    # A missing HeadObject answer has no body, so only its status tells.
    return (NotFound, "") if status == "404" else (CloudError, "")


def _call(service: str, operation: str, thing: str) -> str:
    return f"{service} {operation}{f' of {thing}' if thing else ''} failed"


@functools.lru_cache(maxsize=16)
def _session(profile: str | None, identity: tuple[str | None, ...]) -> Any:
    """One session per identity, so that a role's one-time code is asked for once; another identity gets its own."""
    import boto3

    return boto3.Session(profile_name=profile)


def _identity() -> tuple[str | None, ...]:
    return tuple(os.environ.get(name) for name in _IDENTITY_VARIABLES)


def _endpoint_url(service: str) -> str | None:
    specific = f"AWS_ENDPOINT_URL_{service.upper().replace('-', '_')}"
    return os.environ.get(specific) or os.environ.get("AWS_ENDPOINT_URL")


def _strip_account_from_host(request: Any, endpoint: str, **_: Any) -> None:
    """Take off the account id that the SDK puts before the host: `<account>.127.0.0.1` is no host."""
    request.url = urlunsplit(urlsplit(request.url)._replace(netloc=urlsplit(endpoint).netloc))
