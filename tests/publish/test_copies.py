"""Files whose bytes an earlier build has: copied on the server, and uploaded where that fails."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from bluegreen_cdn.defaults import COPY_MINIMUM_BYTES, COPY_REFUSALS_UNTIL_OFF
from bluegreen_cdn.domain.retention import KeySet
from bluegreen_cdn.errors import AccessDenied, CloudError, CorruptCopy
from bluegreen_cdn.publish.collect_condemned import Condemned, Sweep
from bluegreen_cdn.publish.collect_heed import heed
from bluegreen_cdn.publish.execute import PublishResult, execute
from bluegreen_cdn.publish.memory_store import Faults, MemoryStore
from bluegreen_cdn.publish.object_store import NewObject, PutOutcome
from bluegreen_cdn.publish.publisher import plan_for, publish
from bluegreen_cdn.publish.source import open_source

Writer = Callable[[str, Mapping[str, str | bytes]], Path]
FILM = b"film" * (COPY_MINIMUM_BYTES // 4)


@pytest.fixture
def build(folder: Writer) -> Path:
    """A build whose largest file no name says the content of."""
    return folder("dist", {"index.html": "<p>one", "film.mp4": FILM, "small.bin": b"x" * 1000})


def run(path: Path, store: MemoryStore, build_id: str) -> PublishResult:
    with open_source(path) as source:
        return publish(source, store, build_id=build_id, workers=1)


def calls(store: MemoryStore, kind: str) -> list[str]:
    return [call for call in store.faults.calls if call.startswith(kind)]


def test_what_an_earlier_build_has_is_copied_with_metadata_of_its_own(build: Path) -> None:
    store = MemoryStore()
    run(build, store, "one")
    (build / "index.html").write_text("<p>two")
    (build / "film.mp4").rename(build / "moved.webm")
    store.faults.calls.clear()
    with open_source(build) as source:
        plan = plan_for(source, store, build_id="two")
    assert [(copy.upload.source.path, copy.source_key, copy.build_id) for copy in plan.copies] == [
        ("moved.webm", "builds/one/film.mp4", "one")
    ]
    assert [upload.source.path for upload in plan.uploads] == ["small.bin", "index.html"], "small ones are sent again"
    shown = plan.to_json()
    assert (shown["copy_files"], shown["copy_bytes"]) == (1, len(FILM))
    assert shown["copies"][0]["source_key"] == "builds/one/film.mp4"
    result = run(build, store, "two")
    assert (result.copied_files, result.copied_bytes) == (1, len(FILM))
    assert (result.uploaded_files, result.uploaded_bytes, result.found_files) == (2, 1006, 0)
    stored, data = store.objects["builds/two/moved.webm"]
    assert data == FILM
    assert stored.metadata["build-id"] == "two"
    assert stored.headers.content_type == "video/webm"
    assert "put builds/two/moved.webm" not in store.faults.calls


def test_the_plan_of_a_repeated_run_is_empty(build: Path) -> None:
    store = MemoryStore()
    run(build, store, "one")
    run(build, store, "two")
    with open_source(build) as source:
        plan = plan_for(source, store, build_id="two")
    assert (plan.published, plan.copies, plan.uploads) == (True, (), ())


@pytest.mark.parametrize("after_effect", [False, True], ids=["before its effect", "after its effect"])
def test_a_copy_whose_answer_is_lost_ends_well(build: Path, after_effect: bool) -> None:
    store = MemoryStore()
    run(build, store, "one")
    store.faults = Faults(fail_at=5, after_effect=after_effect)  # two lists, a manifest, the claim, the copy
    result = run(build, store, "two")
    assert store.faults.calls[4] == "copy builds/one/film.mp4 to builds/two/film.mp4"
    assert (result.copied_files, result.uploaded_files, result.found_files) == (
        (0, 2, 1) if after_effect else (0, 3, 0)
    )
    assert store.objects["builds/two/film.mp4"][1] == FILM


def test_a_source_that_was_collected_meanwhile_is_uploaded(build: Path) -> None:
    store = MemoryStore()
    run(build, store, "one")
    del store.objects["builds/one/film.mp4"]
    result = run(build, store, "two")
    assert (result.copied_files, result.uploaded_files) == (0, 3)
    assert store.objects["builds/two/film.mp4"][1] == FILM


def test_a_copy_found_in_place_must_be_the_build_s(build: Path) -> None:
    store = MemoryStore(Faults())
    run(build, store, "one")
    (build / "index.html").write_text("<p>two")
    store.faults = Faults(fail_at=7)
    with pytest.raises(CloudError):
        run(build, store, "two")  # the film is copied by then
    store.faults = Faults()
    result = run(build, store, "two")
    assert (result.copied_files, result.found_files) == (0, 2)
    assert "head builds/two/film.mp4" in store.faults.calls


class Refusing(MemoryStore):
    """A bucket that allows no copies, or makes wrong ones."""

    error: type[CloudError] = AccessDenied
    asked = 0

    def copy_if_absent(self, source_key: str, new: NewObject) -> PutOutcome:
        self.asked += 1
        if self.error is CorruptCopy:
            self._write(new, b"wrong")
        raise self.error("no")


def test_who_may_not_copy_uploads_and_soon_asks_no_more(folder: Writer) -> None:
    files = {f"{number}.bin": bytes([number]) * COPY_MINIMUM_BYTES for number in range(COPY_REFUSALS_UNTIL_OFF + 4)}
    build = folder("dist", {"index.html": "<p>", **files})
    store = Refusing()
    run(build, store, "one")
    assert run(build, store, "two").uploaded_files == len(files) + 1
    assert store.asked == COPY_REFUSALS_UNTIL_OFF


def test_a_wrong_copy_is_put_right(build: Path) -> None:
    store = Refusing()
    store.error = CorruptCopy
    run(build, store, "one")
    assert run(build, store, "two").uploaded_files == 3
    assert store.objects["builds/two/film.mp4"][1] == FILM


def test_a_condemned_copy_is_put_again_and_planned_once(build: Path) -> None:
    store = MemoryStore()
    run(build, store, "one")
    run(build, store, "two")
    del store.objects["manifests/two.json"]  # as retention does first
    keys = KeySet()
    keys.add("builds/two/film.mp4")
    condemned = Condemned(((Sweep(id="s", builds=()), keys),))
    with open_source(build) as source:
        plan = heed(plan_for(source, store, build_id="two"), condemned)
        assert [copy.upload.object.key for copy in plan.copies] == ["builds/two/film.mp4"]
        assert "builds/two/film.mp4" not in [upload.object.key for upload in plan.uploads]
        store.faults.calls.clear()
        result = execute(plan, source, store)
    assert "put again builds/two/film.mp4" in store.faults.calls
    assert (result.uploaded_files, result.copied_files) == (1, 0)
