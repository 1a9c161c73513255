import asyncio
import collections
import http.server
import re
import threading
import time

from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token, verify_token
from bluegreen_cdn.local.rehearsal.browser_like import Site
from bluegreen_cdn.local.rehearsal.forger import Forger, forgeries

SECRET, BUILD = "5" * 64, "v42"


def test_nothing_that_is_forged_is_a_good_report_of_a_build_that_exists() -> None:
    now = int(time.time())
    real = sign_token(SECRET, BUILD, purpose=TokenPurpose.BEACON, expires=now + 60)
    assert verify_token(SECRET, real, purpose=TokenPurpose.BEACON, now=now) == BUILD
    kinds = forgeries(real, SECRET, build=BUILD, each=3)
    assert len(kinds) == 9
    assert {len(queries) for queries in kinds.values()} == {3}
    for kind, (query, *_) in kinds.items():
        token = re.search(r"(?:^|&)t=([^&]*)", query)
        build = verify_token(SECRET, token[1], purpose=TokenPurpose.BEACON, now=now) if token else None
        counts = re.findall(r"&([leas])=([^&]*)", f"&{query}")
        malformed = len(dict(counts)) < len(counts) or any(value not in ("0", "1") for _, value in counts)
        assert build is None or build == "never-published" or malformed, kind
        assert "e=" in query


def test_a_forger_takes_the_token_that_pages_show_and_sends_every_report_once() -> None:
    asked: collections.Counter[str] = collections.Counter()
    addresses: set[str] = set()

    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            addresses.add(self.headers["x-bluegreen-sim-viewer-ip"])
            asked[self.path] += 1
            build = "v42" if asked["/"] > 3 else "v41"
            self.send_response(200 if self.path == "/" else 204)
            if self.path == "/":
                self.send_header("Server-Timing", f'edge;dur=1, bluegreen;desc="{build}~x~y"')
                self.send_header("x-amz-meta-build-id", build)
                self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    forger = Forger(Site(port=server.server_address[1], host="site.localhost"))

    async def run() -> None:
        assert await forger.token_of("v42") == "v42~x~y"
        assert await forger.send(["", *(f"t={number}" for number in range(40))]) == {204: 41}

    try:
        asyncio.run(run())
    finally:
        server.shutdown()
        server.server_close()
    assert asked.pop("/") == 4
    assert set(asked.values()) == {1}
    assert len(asked) == 41
    assert len(addresses) == 41
