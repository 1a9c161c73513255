"""Origins asked through the SDK and over HTTP."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import urllib3

from bluegreen_cdn.aws.session import translate_errors
from bluegreen_cdn.errors import AccessDenied, CloudError, NotFound
from bluegreen_cdn.local.edge.cloud import OriginUnreachable
from bluegreen_cdn.local.edge.config import Origin
from bluegreen_cdn.local.edge.messages import Headers, Request, Response, format_cookies

AWS_DOMAINS = (".amazonaws.com", ".on.aws")
LOOPBACK = ("localhost", "127.0.0.1")
SIGNED = "AWS4-HMAC-SHA256 Credential=cloudfront, SignedHeaders=host, Signature=of-origin-access-control"
"""What CloudFront adds for a function URL with origin access control; ours looks for a signature, not into it."""
_CONDITIONS = {"if-none-match": "IfNoneMatch"}


def get_object(s3: Any, bucket: str, key: str, request: Request) -> Response:
    """S3's answer to a GET or HEAD of a key.

    Raises:
        OriginUnreachable: when S3 did not answer.
    """
    conditions = {_CONDITIONS[name]: request.headers[name][0] for name in _CONDITIONS if name in request.headers}
    operation: Callable[..., Any] = s3.head_object if request.method == "HEAD" else s3.get_object
    try:
        with translate_errors("s3", "GetObject", key):
            answer = operation(Bucket=bucket, Key=key, **conditions)
            body = b"" if request.method == "HEAD" else answer["Body"].read()
    except CloudError as error:
        return _s3_error(error)
    metadata = answer["ResponseMetadata"]
    headers = {name.lower(): [value] for name, value in metadata["HTTPHeaders"].items()}
    return Response(int(metadata["HTTPStatusCode"]), headers, body)


def fetch(http: urllib3.PoolManager, endpoint: str, origin: Origin, request: Request, query: str) -> Response:
    """An HTTP origin's answer. AWS's own domains are asked at the endpoint; else only this machine is.

    Raises:
        OriginUnreachable: when nobody answered.
    """
    if origin.domain_name.endswith(AWS_DOMAINS):
        base = endpoint
    elif origin.domain_name in LOOPBACK:
        base = f"http://{origin.domain_name}:{origin.http_port}"
    else:
        raise OriginUnreachable(
            f"origin {origin.domain_name!r} is on the internet; the simulator stays on this machine"
        )
    headers = urllib3.HTTPHeaderDict()
    for name, values in request.headers.items():
        for value in values:
            headers.add(name, value)
    if "host" not in request.headers:
        headers["host"] = origin.domain_name
    if request.cookies:
        headers["cookie"] = format_cookies(request.cookies)
    if origin.access_control_id is not None:
        headers["authorization"] = SIGNED
    url = f"{base}{request.uri}" + (f"?{query}" if query else "")
    try:
        answer = http.request(
            request.method,
            url,
            headers=headers,
            body=request.body or None,
            redirect=False,
            retries=False,
            decode_content=False,
        )
    except urllib3.exceptions.HTTPError as error:
        raise OriginUnreachable(f"origin {origin.domain_name!r}: {error}") from error
    found: dict[str, list[str]] = {}
    for name, value in answer.headers.iteritems():
        found.setdefault(name.lower(), []).append(value)
    return Response(answer.status, found, answer.data)


def _s3_error(error: CloudError) -> Response:
    """S3's error as an answer; what is none of S3's errors is no answer.

    Raises:
        OriginUnreachable: when S3 did not answer.
    """
    if error.code == "304":
        return Response(304)
    if isinstance(error, NotFound):
        status = 404
    elif isinstance(error, AccessDenied):
        status = 403
    elif error.code and not error.code.endswith("Error"):
        status = int(error.code) if error.code.isdigit() else 503
    else:
        raise OriginUnreachable(str(error)) from error
    headers: Headers = {"content-type": ["application/xml"], "server": ["AmazonS3"]}
    return Response(status, headers, f"<Error><Code>{error.code}</Code></Error>".encode())
