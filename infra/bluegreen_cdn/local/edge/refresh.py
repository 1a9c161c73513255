"""Keeps the edge in step with the cloud: the distribution every few seconds, KeyValueStores about twice a second."""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Executor
from pathlib import Path
from typing import TypeVar

from bluegreen_cdn.errors import BlueGreenError
from bluegreen_cdn.local.edge.cloud import CloudUnavailable, CloudView
from bluegreen_cdn.local.edge.config import Distribution, Raw, read_distribution
from bluegreen_cdn.local.edge.functions.engine import Function
from bluegreen_cdn.local.edge.lambda_edge import LambdaWorker
from bluegreen_cdn.local.edge.policies import (
    read_cache_policy,
    read_origin_request_policy,
    read_response_headers_policy,
)
from bluegreen_cdn.local.edge.state import Edge, Loaded, LoadedFunction, Policies

CONFIG_POLL_SECONDS = 2.0
STORE_POLL_SECONDS = 0.5
POLICIES_EVERY = 5
"""Policies change rarely: they are read again on every change of the distribution, else at every fifth look."""

T = TypeVar("T")


class Refresher:
    """Reads the cloud and replaces what the edge knows, whole or not at all."""

    def __init__(
        self, cloud: CloudView, edge: Edge, executor: Executor, *, distribution_id: str | None, state_dir: Path
    ) -> None:
        self._cloud = cloud
        self._edge = edge
        self._executor = executor
        self._distribution_id = distribution_id
        self._lambda_dir = state_dir / "lambda"
        self._looks = 0
        self._purged: set[str] = set()
        self._etags: dict[str, str] = {}

    async def run(self) -> None:
        """Refresh until cancelled."""
        await asyncio.gather(
            self._repeat(self.refresh_config, CONFIG_POLL_SECONDS),
            self._repeat(self.refresh_stores, STORE_POLL_SECONDS),
        )

    async def _repeat(self, step: Callable[[], object], seconds: float) -> None:
        while True:
            result = step()
            if asyncio.iscoroutine(result):
                await result
            await asyncio.sleep(seconds)

    async def _call(self, method: Callable[..., T], *arguments: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, method, *arguments)

    async def refresh_config(self) -> None:
        """Look at the distribution once; a problem is noted and what was known stays in use."""
        try:
            await self._refresh_config()
        except (BlueGreenError, CloudUnavailable, KeyError) as error:
            told = f"missing in the API's answer: {error}" if isinstance(error, KeyError) else str(error)
            self._note(told)
        else:
            self._note("")

    def _note(self, problem: str) -> None:
        if problem and problem != self._edge.problem:
            print(f"edge: {problem}", file=sys.stderr, flush=True)
        self._edge.problem = problem

    async def _refresh_config(self) -> None:
        wanted = self._distribution_id
        if wanted is None:
            listed = await self._call(self._cloud.distribution_ids)
            present = self._edge.loaded.distribution.id if self._edge.loaded else None
            if not listed:
                raise CloudUnavailable("there is no distribution yet")
            wanted = present if present in listed else listed[0]
        record = await self._call(self._cloud.distribution, wanted)
        old = self._edge.loaded
        if old is None or old.etag != record.etag or old.distribution.id != record.id:
            distribution = read_distribution(
                id=record.id, arn=record.arn, domain_name=record.domain_name, config=record.config
            )
        else:
            distribution = old.distribution
        self._looks += 1
        unchanged = old is not None and distribution is old.distribution
        known = old if unchanged and self._looks % POLICIES_EVERY else None
        loaded = Loaded(
            etag=record.etag,
            distribution=distribution,
            functions=await self._functions(distribution, old),
            lambdas=await self._lambdas(distribution, old),
            policies=known.policies if known else await self._policies(distribution),
        )
        # Stores first: nobody is to be served by functions that have nothing to read yet.
        await self._read_stores(loaded)
        self._edge.loaded = loaded
        if old is not None:
            for arn, worker in old.lambdas.items():
                if loaded.lambdas.get(arn) is not worker:
                    await worker.close()
        await self._purge(record.id)

    async def _functions(self, distribution: Distribution, old: Loaded | None) -> dict[str, LoadedFunction]:
        found: dict[str, LoadedFunction] = {}
        for arn in distribution.function_arns():
            etag = await self._call(self._cloud.function_etag, arn)
            known = old.functions.get(arn) if old else None
            if known is not None and known.etag == etag:
                found[arn] = known
                continue
            record = await self._call(self._cloud.function, arn)
            function = Function(record.name, record.code)
            found[arn] = LoadedFunction(etag=etag, function=function, store_arns=record.store_arns)
        return found

    async def _lambdas(self, distribution: Distribution, old: Loaded | None) -> dict[str, LambdaWorker]:
        found: dict[str, LambdaWorker] = {}
        for arn in distribution.lambda_arns():
            known = old.lambdas.get(arn) if old else None
            found[arn] = known or LambdaWorker(await self._call(self._cloud.lambda_version, arn), self._lambda_dir)
        return found

    async def _policies(self, distribution: Distribution) -> Policies:
        behaviors, cloud = distribution.behaviors, self._cloud
        cache = (each.cache_policy for each in behaviors)
        request = (each.origin_request_policy for each in behaviors)
        response = (each.response_headers_policy for each in behaviors)
        return Policies(
            cache=await self._read_each(cache, cloud.cache_policy, read_cache_policy),
            origin_request=await self._read_each(request, cloud.origin_request_policy, read_origin_request_policy),
            response_headers=await self._read_each(
                response, cloud.response_headers_policy, read_response_headers_policy
            ),
        )

    async def _read_each(
        self, ids: Iterable[str | None], fetch: Callable[[str], Raw], read: Callable[[Raw], T]
    ) -> dict[str, T]:
        return {name: read(await self._call(fetch, name)) for name in sorted({each for each in ids if each})}

    async def _purge(self, distribution_id: str) -> None:
        """Carry out the invalidations that are new."""
        for invalidation in await self._call(self._cloud.invalidations, distribution_id):
            if invalidation.id not in self._purged:
                self._purged.add(invalidation.id)
                for location in self._edge.locations.values():
                    for path in invalidation.paths:
                        location.cache.invalidate(path)

    async def refresh_stores(self) -> None:
        """Look at every KeyValueStore once, and announce what is new to every location."""
        if self._edge.loaded is not None:
            await self._read_stores(self._edge.loaded)

    async def _read_stores(self, loaded: Loaded) -> None:
        for arn in sorted(loaded.store_arns()):
            try:
                etag = await self._call(self._cloud.store_etag, arn)
                if self._etags.get(arn) == etag:
                    continue
                snapshot = await self._call(self._cloud.store, arn)
            except CloudUnavailable as error:
                # As on CloudFront, what was distributed stays readable.
                self._note(str(error))
                continue
            if self._etags.get(arn) == snapshot.etag:
                continue
            self._etags[arn] = snapshot.etag
            now = time.monotonic()
            for location in self._edge.locations.values():
                location.store(arn).announce(snapshot, now)
