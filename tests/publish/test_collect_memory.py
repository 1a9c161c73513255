"""A million objects in little memory: manifests are read by lines, and keys remembered in eight bytes each."""

import json
import subprocess
import sys

import pytest

LIMIT_MEGABYTES = 300

PROGRAM = """
import hashlib, json, resource, sys
from bluegreen_cdn.domain.retention import InUse, RetentionPolicy
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.publish.collect import Collector
from bluegreen_cdn.publish.collect_memory import MemoryUsedBuilds, MemoryVersionedStore
from bluegreen_cdn.publish.collect_ports import ObjectVersion

FILES, BUILDS = int(sys.argv[1]), 4
HEAD = json.dumps({"format": 1, "build_id": "%s", "mode": "spa", "rules": ClassificationRules.default().to_json()})

class Endless(MemoryVersionedStore):
    '''Builds of many files, made up as they are asked for; what is written is kept like anything else.'''
    def __init__(self):
        super().__init__(clock=lambda: self.time)
        self.time, self.gone = 1e8, 0
    def lines(self, key):
        build = key.removeprefix("manifests/").removesuffix(".json")
        if not key.startswith("manifests/"):
            yield from super().lines(key)
            return
        yield (HEAD % build)[:-1].encode() + b',"files":['
        for number in range(FILES):
            # A third of the files is the next build's as well.
            path = f"assets/file-{(ord(build) - 97) * FILES * 2 // 3 + number:08}-B3x9aZ0q.js"
            yield json.dumps({"path": path, "key": "shared/" + path, "size": 1000, "sha256": "0" * 64,
                "content_type": "text/javascript; charset=utf-8", "cache_class": "shared",
                "cache_control": "public, max-age=31536000, immutable", "encodings": []}).encode() + b","
        yield b"]}"
    def versions(self, prefix):
        if prefix == "manifests/":
            for place, build in enumerate("abcd"[:BUILDS]):
                yield ObjectVersion(key=f"manifests/{build}.json", version="v", size=1, modified=1e6 * place,
                    latest=True)
        elif prefix == "shared/":
            for number in range(FILES * 2 // 3 * (BUILDS - 1) + FILES):
                yield ObjectVersion(key=f"shared/assets/file-{number:08}-B3x9aZ0q.js", version="v", size=1000,
                    modified=0, latest=True)
        elif not prefix.startswith("builds/"):
            yield from super().versions(prefix)
    def delete_versions(self, versions):
        self.gone += len(versions)
        super().delete_versions(versions)

def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

store, used = Endless(), MemoryUsedBuilds(used=InUse(live=frozenset("d")))
collector = Collector({"us-east-1": store}, used, RetentionPolicy(keep_last=1, skew_days=1))
base = peak()
first = collector.collect()
notes = sum(len(data) for _, data in store.objects.values()) // 2**20
store.time += 30 * 3600
# The notes of the first sweep lie in this fake's own memory, where S3 would have them.
second = collector.collect()
print(json.dumps({"base": base, "peak": peak(), "notes": notes, "versions": first.condemned.versions,
    "deleted": second.deleted, "complete": second.complete}))
"""


@pytest.mark.scale
def test_a_million_objects_within_the_limit() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "400000"], capture_output=True, text=True, timeout=300, check=True
    )
    found = json.loads(done.stdout)
    assert found["complete"]
    assert found["versions"] > 700_000
    assert found["deleted"] >= found["versions"]
    assert found["peak"] < LIMIT_MEGABYTES, found
    print(found)
