"""A bucket in S3 that many small files are written to quickly.

boto3 is bound by its own CPU at some 600 objects a second, so the small files of a build go through obstore (Rust's
`object_store`): signed, with If-None-Match, with a SHA-256 that S3 verifies, retried when S3 asks to slow down. So do
lists and manifests, so that where the environment says it all, boto3 need not even be loaded. All else, and whatever
obstore cannot settle, goes through boto3, so behaviour and messages are the same with either.
"""

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import IO, TYPE_CHECKING, Any, BinaryIO
from urllib.parse import urlsplit

from bluegreen_cdn.aws.copy_object import read_headers
from bluegreen_cdn.aws.environment import plain_environment
from bluegreen_cdn.aws.object_store import S3ObjectStore
from bluegreen_cdn.aws.session import LazyClient, client, credentials
from bluegreen_cdn.defaults import (
    AWS_CONNECT_TIMEOUT_SECONDS,
    AWS_READ_TIMEOUT_SECONDS,
    AWS_RETRY_ATTEMPTS,
    BULK_CREDENTIALS_SECONDS,
    BULK_FAILURES_UNTIL_OFF,
    DOWNLOAD_PIECE_BYTES,
    SMALL_FILE_BYTES,
    UPLOAD_WORKERS,
)
from bluegreen_cdn.errors import FileChanged
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome, StoredObject

try:
    import obstore
    from obstore.exceptions import AlreadyExistsError, BaseError
    from obstore.store import S3Store
except ImportError:  # the handlers' bundle leaves it out
    obstore = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from obstore import Attributes, ObjectMeta
    from obstore.store import S3Credential


_FAILURES = (OSError,) if obstore is None else (BaseError, OSError)
"""What obstore raises; a key that is missing is a FileNotFoundError."""


def open_bucket(
    bucket: str,
    region: str | None = None,
    *,
    connections: int = UPLOAD_WORKERS,
    endpoint: str | None = None,
    profile: str | None = None,
) -> S3ObjectStore:
    """A bucket to publish to: the quick one where obstore is installed, else boto3's.

    Args:
        bucket: Its name.
        region: Its region. Default: what the environment and the profile say.
        connections: Threads that use it at once. Default: `UPLOAD_WORKERS`.
        endpoint: The store's address. Default: what the environment says, or AWS's.
        profile: The profile that has its credentials. Default: what the environment says.
    """
    plain = None if endpoint or profile or obstore is None else plain_environment(region)
    if plain is not None and not _needs_bundle(plain.endpoint or "https://s3"):
        return BulkObjectStore(bucket, region, connections=connections)
    s3 = client("s3", region, connections=connections, endpoint=endpoint, profile=profile)
    if obstore is not None and not _needs_bundle(s3.meta.endpoint_url):
        return BulkObjectStore(bucket, region, connections=connections, s3=s3, profile=profile)
    return S3ObjectStore(bucket, region, connections=connections, s3=s3)


class BulkObjectStore(S3ObjectStore):
    """A bucket in S3 whose small objects are written through obstore.

    Args:
        bucket: Its name.
        region: Its region. Default: what the environment and the profile say.
        connections: Threads that use it at once. Default: `UPLOAD_WORKERS`.
        s3: A client to use instead of a new one. Default: a new one.
        profile: The profile that has the credentials. Default: what the environment says.

    Attributes:
        unsettled: Objects that boto3 had to write because obstore could not.
    """

    def __init__(
        self,
        bucket: str,
        region: str | None = None,
        *,
        connections: int = UPLOAD_WORKERS,
        s3: Any | None = None,
        profile: str | None = None,
    ) -> None:
        plain = None if s3 or profile else plain_environment(region)
        if plain is not None:
            s3 = LazyClient("s3", region, connections=connections)
        super().__init__(bucket, region, connections=connections, s3=s3)
        self._lock = threading.Lock()
        self._streams = threading.BoundedSemaphore(UPLOAD_WORKERS)
        self.unsettled = 0
        if plain is not None:
            where = _where(bucket, plain.endpoint or f"https://s3.{plain.region}.amazonaws.com", plain.region)
        else:
            where = _where(bucket, self._s3.meta.endpoint_url, self._s3.meta.region_name)
        self._bulk = S3Store(
            bucket,
            **where,
            checksum_algorithm="SHA256",
            client_options={
                "allow_http": True,
                "connect_timeout": f"{AWS_CONNECT_TIMEOUT_SECONDS}s",
                "timeout": f"{AWS_READ_TIMEOUT_SECONDS}s",
                "user_agent": "bluegreen-cdn",
            },
            retry_config={
                "max_retries": AWS_RETRY_ATTEMPTS - 1,
                "retry_timeout": timedelta(seconds=AWS_READ_TIMEOUT_SECONDS),
            },
            credential_provider=_Credentials(region, profile),
        )

    def put_if_absent(self, new: NewObject, body: BinaryIO) -> PutOutcome:
        """Write an object unless its key exists; S3 checks the SHA-256."""
        if new.size > SMALL_FILE_BYTES or self._is_off:
            # As many as boto3 is good for: each is a connection and a share of the bandwidth.
            with self._streams:
                return super().put_if_absent(new, body)
        data = body.read()
        # obstore sends the digest of what it is given, so that this is the one announced is checked here.
        if len(data) != new.size or hashlib.sha256(data).hexdigest() != new.sha256:
            raise FileChanged(
                f"the bytes for '{new.key}' are not those that were announced; nothing may write to the build while "
                f"it is published: build again, then publish again"
            )
        try:
            obstore.put(self._bulk, new.key, data, mode="create", use_multipart=False, attributes=_attributes(new))
        except AlreadyExistsError as error:
            if _says_exists(str(error)):
                return PutOutcome.EXISTS
        except _FAILURES:
            pass
        else:
            return PutOutcome.CREATED
        # Another write of the key under way, a refusal, a lost answer: boto3 waits, tries again, or says it properly.
        body.seek(0)
        with self._streams:
            outcome = super().put_if_absent(new, body)
        self._count_unsettled()
        return outcome

    def head(self, key: str) -> StoredObject | None:
        """What lies at a key."""
        if not self._is_off:
            try:
                # Unlike obstore's own `head`, this says the headers, too.
                found = obstore.get(self._bulk, key, options={"head": True})
                return _stored(key, found.meta, found.attributes)
            except FileNotFoundError:
                return None
            except _FAILURES:  # refused, mostly, and boto3 asks why
                pass
        return super().head(key)

    def download(self, key: str, target: IO[bytes]) -> None:
        """Write an object's bytes to a stream; a large one's are read piece by piece, and read on where they break."""
        data = None
        if not self._is_off:
            try:
                found = obstore.get(self._bulk, key)
                data = bytes(found.bytes()) if found.meta["size"] <= SMALL_FILE_BYTES else None
            except _FAILURES:
                pass
        if data is None:
            super().download(key, target)
        else:
            target.write(data)

    def get(self, key: str) -> bytes:
        """The bytes of an object."""
        if not self._is_off:
            try:
                return bytes(obstore.get(self._bulk, key).bytes())
            except _FAILURES:  # missing, mostly; boto3 says what it is
                pass
        return super().get(key)

    def lines(self, key: str) -> Iterator[bytes]:
        """The lines of an object."""
        given = 0
        if not self._is_off:
            try:
                rest = b""
                for piece in obstore.get(self._bulk, key).stream(min_chunk_size=DOWNLOAD_PIECE_BYTES):
                    *whole, rest = (rest + bytes(piece)).split(b"\n")
                    for line in whole:
                        given += 1
                        yield line
                if rest:
                    given += 1
                    yield rest
            except _FAILURES:
                pass
            else:
                return
        # What is read by lines is written once, so that boto3 can go on where obstore broke off.
        yield from islice(super().lines(key), given, None)

    def list_keys(self, prefix: str) -> Iterator[str]:
        """The keys under a prefix, sorted."""
        last = ""
        if prefix.endswith("/") and not self._is_off:  # obstore knows folders only
            try:
                for page in obstore.list(self._bulk, prefix):
                    for item in page:
                        last = item["path"]
                        yield last
            except _FAILURES:
                pass
            else:
                return
        yield from (key for key in super().list_keys(prefix) if key > last)

    @property
    def _is_off(self) -> bool:
        return self.unsettled >= BULK_FAILURES_UNTIL_OFF

    def _count_unsettled(self) -> None:
        with self._lock:
            self.unsettled += 1


@dataclass(frozen=True)
class _Credentials:
    """Hands obstore what the environment has, or boto3's session, which renews what expires well before it does."""

    region: str | None = None
    profile: str | None = None

    def __call__(self) -> "S3Credential":
        plain = None if self.profile else plain_environment(self.region)
        found = credentials(self.profile) if plain is None else plain.credentials()
        return {
            "access_key_id": found.access_key,
            "secret_access_key": found.secret_key,
            "token": found.token,
            "expires_at": datetime.now(UTC) + timedelta(seconds=BULK_CREDENTIALS_SECONDS),
        }


def _where(bucket: str, endpoint: str, region: str) -> dict[str, Any]:
    """Where the bucket is asked for: AWS's own host names, or the endpoint that boto3 found configured."""
    if urlsplit(endpoint).hostname in {"s3.amazonaws.com", f"s3.{region}.amazonaws.com"}:
        # A dot in the name would not match the certificate of `*.s3.<region>.amazonaws.com`.
        return {"region": region, "virtual_hosted_style_request": "." not in bucket}
    return {"region": region, "endpoint": endpoint, "virtual_hosted_style_request": False}


def _needs_bundle(endpoint: str) -> bool:
    """Whether the endpoint's certificate is to be judged by a bundle that is the SDK's alone, not the machine's."""
    bundle = os.environ.get("AWS_CA_BUNDLE") or os.environ.get("REQUESTS_CA_BUNDLE")
    return urlsplit(endpoint).scheme == "https" and bool(bundle) and bundle != os.environ.get("SSL_CERT_FILE")


def _attributes(new: NewObject) -> "Attributes":
    optional = {
        "Content-Encoding": new.headers.content_encoding,
        "Content-Disposition": new.headers.content_disposition,
        "Content-Language": new.headers.content_language,
    }
    return {
        "Content-Type": new.headers.content_type,
        "Cache-Control": new.headers.cache_control,
        **{name: value for name, value in optional.items() if value},
        **new.metadata,
    }


def _stored(key: str, meta: "ObjectMeta", attributes: "Attributes") -> StoredObject:
    told = {str(name): str(value) for name, value in attributes.items()}
    return StoredObject(
        key=key,
        size=meta["size"],
        headers=read_headers({name.replace("-", ""): value for name, value in told.items()}),
        # What S3 calls metadata is always written in small letters.
        metadata={name: value for name, value in told.items() if name == name.lower()},
        version=meta["version"] or "",
        modified=meta["last_modified"].timestamp(),
    )


def _says_exists(message: str) -> bool:
    """Whether the key exists (412), rather than being written by somebody else just now (409)."""
    return "412 Precondition Failed" in message and "409 Conflict" not in message
