"""How many cached requests a second the edge simulator serves on one core, with both functions run for each.

Run `python benchmarks/bench_edge.py`. The same server stack, answering a fixed body and nothing else, is measured in
the same run, in turns with the simulator, so that the ratio means the same on any machine.
"""

import argparse
import asyncio
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from aiohttp import web

from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.edge_code import edge_handler_path, render_function
from bluegreen_cdn.local.edge.cloud import DistributionRecord, FunctionRecord
from bluegreen_cdn.local.edge.fake_cloud import FakeCloud
from bluegreen_cdn.local.edge.server import EdgeServer, Options

TARGET_REQUESTS_PER_SECOND = 500
CONNECTIONS = 8
BODY = b"<!doctype html><title>shop</title>" + b"x" * 4_000
STORE = "arn:aws:cloudfront::111122223333:key-value-store/bluegreen-shop"
REQUEST = "arn:aws:cloudfront::111122223333:function/request"
RESPONSE = "arn:aws:cloudfront::111122223333:function/response"


def cloud() -> FakeCloud:
    """One bucket behind one behaviour, with this project's own functions around it and a release under way."""
    made = FakeCloud()
    routing = RoutingState(epoch=1, stable="b1", candidate="b2", weight=1000)
    made.put_store(STORE, routing=routing.to_json(), secret="ab" * 32)
    for arn, name in ((REQUEST, "viewer_request"), (RESPONSE, "viewer_response")):
        source = (edge_handler_path() / f"{name}.js").read_text()
        code = render_function(source, ClassificationRules.default(), "spa", "shop")
        made.functions[arn] = FunctionRecord(name=name, etag="1", code=code, store_arns=(STORE,))
    made.cache_policies["keyed"] = {
        "MinTTL": 3600,
        "DefaultTTL": 3600,
        "MaxTTL": 3600,
        "ParametersInCacheKeyAndForwardedToOrigin": {
            "HeadersConfig": {"HeaderBehavior": "whitelist", "Headers": {"Items": ["x-build-id"]}}
        },
    }
    made.objects["bucket", "index.html"] = ({"content-type": "text/html", "x-amz-meta-build-id": "b1"}, BODY)
    made.policies["bucket"] = {
        "Statement": {
            "Effect": "Allow",
            "Principal": "*",
            "Action": "s3:GetObject",
            "Resource": "arn:aws:s3:::bucket/*",
        }
    }
    behavior = {
        "TargetOriginId": "bucket",
        "CachePolicyId": "keyed",
        "FunctionAssociations": {
            "Items": [
                {"EventType": "viewer-request", "FunctionARN": REQUEST},
                {"EventType": "viewer-response", "FunctionARN": RESPONSE},
            ]
        },
    }
    origin = {"Id": "bucket", "DomainName": "bucket.s3.us-east-1.amazonaws.com"}
    made.distributions["E1"] = DistributionRecord(
        id="E1",
        arn="arn:aws:cloudfront::111122223333:distribution/E1",
        domain_name="d1.cloudfront.net",
        etag="1",
        config={"Origins": {"Items": [origin]}, "DefaultCacheBehavior": behavior},
    )
    return made


def serve(kind: str, port: "multiprocessing.Queue[int]") -> None:
    """Serve on one core until killed."""
    os.sched_setaffinity(0, {0})

    async def simulator() -> int:
        with tempfile.TemporaryDirectory() as folder:
            server = EdgeServer(cloud(), Options(state_dir=Path(folder), locations=("us-east-1",)))
            await server.start()
        return server.port

    async def plain() -> int:
        async def answer(_: web.BaseRequest) -> web.Response:
            return web.Response(body=BODY, content_type="text/html")

        runner = web.ServerRunner(web.Server(answer, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        bound: int = runner.addresses[0][1]
        return bound

    async def main(start: Callable[[], Awaitable[int]]) -> None:
        port.put(await start())
        await asyncio.Event().wait()

    asyncio.run(main(simulator if kind == "simulator" else plain))


async def _client(port: int, until: float) -> int:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    count = 0
    while time.perf_counter() < until:
        writer.write(b"GET /index.html HTTP/1.1\r\nHost: shop.localhost\r\nAccept: text/html\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        if b" 200 " not in head.split(b"\r\n", 1)[0]:
            raise SystemExit(f"not answered with 200: {head.decode()}")
        length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        await reader.readexactly(int(length.partition(b":")[2]))
        count += 1
    writer.close()
    return count


async def measure(port: int, seconds: float) -> float:
    """Requests a second over kept connections."""
    started = time.perf_counter()
    counts = await asyncio.gather(*(_client(port, started + seconds) for _ in range(CONNECTIONS)))
    return sum(counts) / (time.perf_counter() - started)


def main() -> int:
    """Measure in turns and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=1.0, help="for each turn")
    parser.add_argument("--turns", type=int, default=3)
    given = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    ports: dict[str, int] = {}
    processes = []
    for kind in ("plain", "simulator"):
        queue: multiprocessing.Queue[int] = context.Queue()
        process = context.Process(target=serve, args=(kind, queue), daemon=True)
        process.start()
        processes.append(process)
        ports[kind] = queue.get(timeout=30)
    rates: dict[str, list[float]] = {kind: [] for kind in ports}
    for kind, port in ports.items():
        asyncio.run(measure(port, 0.3))
        rates[kind].clear()
    for _ in range(given.turns):
        for kind, port in ports.items():
            rates[kind].append(asyncio.run(measure(port, given.seconds)))
    for process in processes:
        process.terminate()
    middle = {kind: statistics.median(found) for kind, found in rates.items()}
    simulated, plain = middle["simulator"], middle["plain"]
    print(f"edge simulator  {simulated:8.0f} cached requests/s on one core, both functions in QuickJS each time")
    print(f"plain server    {plain:8.0f} requests/s, same stack, nothing but a body")
    print(f"ratio           {simulated / plain:8.2f}")
    print(f"target          {TARGET_REQUESTS_PER_SECOND:8d}")
    return 0 if simulated >= TARGET_REQUESTS_PER_SECOND else 1


if __name__ == "__main__":
    sys.exit(main())
