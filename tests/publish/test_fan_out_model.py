"""Any sequence of publishes to several buckets, interrupted anywhere, some buckets left out, and retention beside."""

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen_cdn.domain.manifest import Manifest, build_of_manifest_key
from bluegreen_cdn.domain.retention import InUse, RetentionPolicy
from bluegreen_cdn.errors import CloudError, PublishError, TargetFailed
from bluegreen_cdn.publish import copies, fan_out_fill
from bluegreen_cdn.publish.collect import Collector
from bluegreen_cdn.publish.collect_memory import MemoryUsedBuilds, MemoryVersionedStore
from bluegreen_cdn.publish.execute import execute
from bluegreen_cdn.publish.fan_out_plan import open_everywhere
from bluegreen_cdn.publish.memory_store import Faults, MemoryStore
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome, StoredObject
from bluegreen_cdn.publish.publisher import plan_for
from bluegreen_cdn.publish.source import open_source
from bluegreen_cdn.publish.targets import Target
from bluegreen_cdn.publish.verify import Verifier

HOUR, DAY = 3600, 86_400
# A hashed name follows its content, so each has one content only.
FILES = {
    "index.html": ("one", "two", "three"),
    "film.mp4": ("film one", "film two"),
    "assets/a-B3x9aZ0q.js": ("a",),
    "assets/b-Dk3fP0_x.js": ("b",),
    "assets/c-Zk9fP1_y.js": ("c",),
}
builds = st.fixed_dictionaries(
    {"index.html": st.sampled_from(FILES["index.html"])},
    optional={path: st.sampled_from(contents) for path, contents in FILES.items() if path != "index.html"},
)
steps = st.lists(
    st.tuples(
        builds,
        st.sets(st.sampled_from(["eu", "ap"])),
        st.one_of(st.none(), st.integers(1, 60)),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


class Watched(MemoryVersionedStore):
    """A bucket that tells somebody before each of a publisher's writes and looks."""

    before: Callable[[], None] = staticmethod(lambda: None)

    def put_if_absent(self, new: NewObject, body: BinaryIO) -> PutOutcome:
        self.before()
        return super().put_if_absent(new, body)

    def put_again(self, new: NewObject, body: BinaryIO) -> None:
        self.before()
        super().put_again(new, body)

    def head(self, key: str) -> StoredObject | None:
        self.before()
        return super().head(key)


def run(files: dict[str, str], stores: dict[str, Any], build_id: str) -> None:
    targets = [Target(name=name, place=f"memory://{name}", store=store) for name, store in stores.items()]
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            (Path(folder) / path).parent.mkdir(exist_ok=True)
            (Path(folder) / path).write_text(content)
        with open_source(Path(folder)) as source:
            plan = plan_for(source, targets[0].store, build_id=build_id)
            execute(plan, source, open_everywhere(plan, targets, workers=1), workers=1)


def assert_manifests_are_whole(stores: dict[str, MemoryStore]) -> None:
    for name, store in stores.items():
        for key in [key for key in store.objects if build_of_manifest_key(key)]:
            for file in Manifest.from_json_bytes(store.objects[key][1]).files:
                assert file.key in store.objects, f"{key} of {name} names {file.key} too early"
                stored, data = store.objects[file.key]
                assert (stored.sha256, len(data)) == (file.sha256, file.size)


@pytest.mark.parametrize("looks", [0, 200], ids=["manifests", "looks"])
@settings(max_examples=20)
@given(steps=steps)
def test_no_bucket_ever_has_half_a_build(looks: int, steps: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(copies, "COPY_MINIMUM_BYTES", 5)
        patch.setattr(fan_out_fill, "FILL_LOOKS", looks)
        stores = {name: MemoryStore() for name in ("us", "eu", "ap")}
        for number, (files, reached, fail_at, after_effect) in enumerate(steps):
            chosen = {name: store for name, store in stores.items() if name == "us" or name in reached}
            faults = Faults(fail_at=fail_at, after_effect=after_effect)
            faults.watch = lambda: assert_manifests_are_whole(stores)
            for store in stores.values():
                store.faults = faults
            with contextlib.suppress(CloudError, TargetFailed):
                run(files, chosen, f"build-{number}")
            faults.fail_at = None
            run(files, chosen, f"build-{number}")
            assert Verifier(f"build-{number}", chosen).look().complete
        # Whoever was left out before has all of it once it is named.
        run(steps[-1][0], stores, f"build-{len(steps) - 1}")
        assert Verifier(f"build-{len(steps) - 1}", stores).look().complete


@settings(max_examples=40)
@given(first=builds, last=builds, again=st.booleans(), sweep_at=st.integers(1, 30))
def test_what_retention_condemns_is_whole_in_every_bucket_when_it_is_published(
    first: dict[str, str], last: dict[str, str], again: bool, sweep_at: int
) -> None:
    time = [1_000_000.0]
    stores = {name: Watched(clock=lambda: time[0], name=name) for name in ("us", "eu")}
    used = MemoryUsedBuilds(used=InUse(live=frozenset({"live"}), rollback_targets=frozenset({"live"})))
    collector = Collector(stores, used, RetentionPolicy(keep_last=1, skew_days=1), wait_hours=24)
    run(first, stores, "old")
    time[0] += 30 * DAY
    run({"index.html": "one"}, stores, "live")
    time[0] += 30 * DAY
    assert collector.collect().condemned is not None
    # The wait is over while the publish is at work.
    time[0] += 23.9 * HOUR
    left, swept = [sweep_at], list[bool]()

    def sweep() -> None:
        left[0] -= 1
        if left[0] <= 0 and not swept:
            swept.append(True)
            time[0] += 0.2 * HOUR
            collector.collect()

    for store in stores.values():
        store.before = sweep  # type: ignore[method-assign]
    build_id, files = ("old", first) if again else ("new", last)
    published = False
    with contextlib.suppress(CloudError, PublishError):  # what goes away under a publish is said, not passed over
        run(files, stores, build_id)
        published = True
    left[0] = 0
    sweep()
    if not published:
        run(files, stores, build_id)
    for build in ("live", build_id):
        found = Verifier(build, stores).look()
        assert found.complete, found.findings
    assert_manifests_are_whole(dict(stores))
