"""Verifying a build in every region, and mending it from one that has it."""

from dataclasses import replace
from pathlib import Path

import pytest

from bluegreen_cdn.domain.headers import ObjectHeaders
from bluegreen_cdn.domain.verification import Fault
from bluegreen_cdn.errors import VerificationFailed
from bluegreen_cdn.publish.collect_memory import MemoryVersionedStore
from bluegreen_cdn.publish.compress import Compression
from bluegreen_cdn.publish.publisher import publish
from bluegreen_cdn.publish.repair import Repair
from bluegreen_cdn.publish.source import open_source
from bluegreen_cdn.publish.verify import Verifier

SCRIPT = "shared/assets/index-B3x9aZ0q.js"


@pytest.fixture
def stores(storefront: Path) -> dict[str, MemoryVersionedStore]:
    made = {region: MemoryVersionedStore(name=region) for region in ("us-east-1", "eu-west-1")}
    for store in made.values():
        with open_source(storefront) as source:
            publish(source, store, build_id="one", allow_missing=["**"])
    return made


def test_a_whole_build_is_complete(stores: dict[str, MemoryVersionedStore]) -> None:
    found = Verifier("one", stores).look()
    assert found.complete
    assert found.objects == 2 * 7, "six files and the manifest in each region"


def test_every_fault_is_named_where_it_is_and_mended(stores: dict[str, MemoryVersionedStore]) -> None:
    replica = stores["eu-west-1"]
    stored, data = replica.objects[SCRIPT]
    del replica.objects["builds/one/favicon.ico"]
    del replica.objects["manifests/one.json"]
    replica.objects[SCRIPT] = (replace(stored, headers=ObjectHeaders(content_type="x", cache_control="y")), data)
    stored, data = replica.objects["builds/one/index.html"]
    replica.objects["builds/one/index.html"] = (replace(stored, metadata={"sha256": "0" * 64}), data)
    stored, data = replica.objects["builds/one/assets/logo.svg"]
    replica.objects["builds/one/assets/logo.svg"] = (replace(stored, size=1), data)
    found = Verifier("one", stores).look()
    assert found.wrong == {"eu-west-1": 5}
    assert {(finding.key, finding.fault) for finding in found.findings} == {
        ("builds/one/favicon.ico", Fault.MISSING),
        ("manifests/one.json", Fault.MISSING),
        (SCRIPT, Fault.HEADERS),
        ("builds/one/index.html", Fault.DIGEST),
        ("builds/one/assets/logo.svg", Fault.SIZE),
    }
    mended = Verifier("one", stores, mend=Repair(stores).mend).look()
    assert (mended.complete, mended.mended) == (True, {"eu-west-1": 5})
    assert Verifier("one", stores).look().complete
    assert replica.get("builds/one/index.html") == stores["us-east-1"].get("builds/one/index.html")


def test_the_primary_is_mended_from_a_replica(stores: dict[str, MemoryVersionedStore]) -> None:
    del stores["us-east-1"].objects[SCRIPT]
    assert Verifier("one", stores, mend=Repair(stores).mend).look().mended == {"us-east-1": 1}


def test_what_no_region_has_cannot_be_mended(stores: dict[str, MemoryVersionedStore]) -> None:
    for store in stores.values():
        del store.objects[SCRIPT]
    found = Verifier("one", stores, mend=Repair(stores).mend).look()
    assert (found.complete, found.wrong) == (False, {"us-east-1": 1, "eu-west-1": 1})


def test_a_second_look_asks_only_for_what_was_wrong(stores: dict[str, MemoryVersionedStore]) -> None:
    late = stores["eu-west-1"].objects.pop(SCRIPT)
    verifier = Verifier("one", stores)
    assert not verifier.look().complete
    stores["eu-west-1"].objects[SCRIPT] = late
    again = verifier.look()
    assert (again.complete, again.objects) == (True, 1)


@pytest.fixture
def packed(storefront: Path) -> dict[str, MemoryVersionedStore]:
    """A build with precompressed variants."""
    made = {region: MemoryVersionedStore(name=region) for region in ("us-east-1", "eu-west-1")}
    (storefront / "assets/index-B3x9aZ0q.js").write_text(
        " ".join(f"{number * number:x}{number}" for number in range(200))
    )
    for store in made.values():
        with open_source(storefront) as source:
            publish(source, store, build_id="one", allow_missing=["**"], compression=Compression.BEST)
    return made


def test_variants_are_verified_as_files_are(packed: dict[str, MemoryVersionedStore]) -> None:
    found = Verifier("one", packed).look()
    assert (found.complete, found.objects) == (True, 2 * (6 * 3 + 1))


def test_a_variant_that_is_missing_or_wrong_is_mended(packed: dict[str, MemoryVersionedStore]) -> None:
    replica = packed["eu-west-1"]
    del replica.objects[f"{SCRIPT}.br"]
    stored, data = replica.objects[f"{SCRIPT}.gz"]
    replica.objects[f"{SCRIPT}.gz"] = (replace(stored, headers=replace(stored.headers, content_encoding=None)), data)
    stored, data = replica.objects["builds/one/index.html.br"]
    replica.objects["builds/one/index.html.br"] = (replace(stored, metadata={"sha256": "0" * 64}), data)
    stored, data = replica.objects["builds/one/favicon.ico.gz"]
    other = {**stored.metadata, "file-sha256": "0" * 64}
    replica.objects["builds/one/favicon.ico.gz"] = (replace(stored, metadata=other), data)
    found = Verifier("one", packed).look()
    assert {(finding.key, finding.fault) for finding in found.findings} == {
        (f"{SCRIPT}.br", Fault.MISSING),
        (f"{SCRIPT}.gz", Fault.HEADERS),
        ("builds/one/index.html.br", Fault.DIGEST),
        ("builds/one/favicon.ico.gz", Fault.HEADERS),
    }
    mended = Verifier("one", packed, mend=Repair(packed).mend).look()
    assert (mended.complete, mended.mended) == (True, {"eu-west-1": 4})
    assert Verifier("one", packed).look().complete
    mended_br = replica.head(f"{SCRIPT}.br")
    assert mended_br is not None
    assert mended_br.headers.content_encoding == "br"


def test_the_variant_of_another_compressor_is_not_what_the_manifest_names(
    packed: dict[str, MemoryVersionedStore], storefront: Path
) -> None:
    other = MemoryVersionedStore(name="other")
    with open_source(storefront) as source:
        publish(source, other, build_id="one", allow_missing=["**"], compression=Compression.FAST)
    packed["eu-west-1"].objects[f"{SCRIPT}.br"] = other.objects[f"{SCRIPT}.br"]
    (finding,) = Verifier("one", packed).look().findings
    assert (finding.key, finding.fault) == (f"{SCRIPT}.br", Fault.SIZE)


def test_a_build_that_is_not_published(stores: dict[str, MemoryVersionedStore]) -> None:
    with pytest.raises(VerificationFailed, match="build two has no manifest in us-east-1"):
        Verifier("two", stores).look()
