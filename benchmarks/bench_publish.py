"""How quickly a build is published, against public tools doing the same work in the same run.

Run `make bench-publish`, which installs the tools into `build/peers` (or `python benchmarks/bench_publish.py`, which
uses those it finds). Server: SeaweedFS on loopback. Every tool runs as a command, its start included, in turns with
the others; the tables, which docs/publishing.md has, show medians. Requests and bytes are the server's own count. On a
busy machine look at the CPU seconds (of the tool, without the server's) and at the ratios within one run.
"""

import argparse
import os
import platform
import random
import re
import resource
import shutil
import signal
import statistics
import string
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

from publish_peers import Peer, find_peers, versions
from seaweedfs import SeaweedFS

SIZES = {"small": (2_000, 29_000_000), "large": (10_000, 152_000_000)}
CHANGED = 0.02
DOCUMENTS = 0.01
PEERS_FOLDER = Path(__file__).parents[1] / "build" / "peers"
TIMEOUT_SECONDS = 300


@dataclass
class Row:
    """What one tool did with one task, once for every round."""

    seconds: list[float] = field(default_factory=list)
    cpu_seconds: list[float] = field(default_factory=list)
    requests: int = 0
    sent_bytes: int = 0


def make_tree(root: Path, files: int, size: int) -> None:
    """A build of hashed scripts and, one in a hundred, documents that load them; sizes spread as those of real builds.

    Every script imports the first one, so that all of them are looked through for what they refer to.
    """
    numbers = random.Random(files)
    code = _code(numbers)
    every = int(1 / DOCUMENTS)
    names = [f"chunk{number:05}-{numbers.getrandbits(40):010x}.js" if number % every else "" for number in range(files)]
    common = f'import{{a}}from"./{names[1]}";\n'
    for number, name in enumerate(names):
        wanted = max(40, int(numbers.lognormvariate(0, 1.2) * size / files / 2.05))
        start = code.index("\n", numbers.randrange(len(code) // 2)) + 1
        body = (code * (wanted // len(code) + 2))[start : start + wanted]
        if name:
            path = root / "assets" / name
            text = common + body if number > 1 else body
        else:
            path = root / ("index.html" if number == 0 else f"pages/p{number:05}/index.html")
            scripts = "".join(f"<script type=module src=/assets/{each}></script>" for each in names[number:][1:every])
            text = f"<!doctype html><title>page</title>{scripts}<p>{body.replace('<', '')}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _code(numbers: random.Random) -> str:
    """Four million characters that look like what a bundler writes."""
    kinds = (
        "function {0}({1}){{return {1}.{2}?{1}:void 0}}",
        "const {0}=({1},{2})=>{{{1}.push('{2}: '+{2});return `${{{1}.{0}}}-{2}`}};",
        'var {0}={{{1}:"{2} {0}",{2}:[1,2,{1}]}};',
        'if(/[{0}]+\\/{1}$/.test({2})&&!{2}.{0})throw new Error("{1}");',
        "/* {0} */for(let {1}=0;{1}<{2}.length;{1}++){0}({2}[{1}]/2);",
    )

    def name() -> str:
        return "".join(numbers.choices(string.ascii_letters, k=numbers.randint(2, 9)))

    lines, length = [], 0
    while length < 4_000_000:
        lines.append(numbers.choice(kinds).format(name(), name(), name()))
        length += len(lines[-1]) + 1
    return "\n".join(lines)


def next_build(tree: Path, target: Path) -> int:
    """A rebuild: 2 % of the files have changed (all documents, and some scripts, under new names)."""
    shutil.copytree(tree, target)  # fresh times, as after a build
    scripts, documents = sorted(target.glob("assets/*"))[1:], sorted(target.rglob("*.html"))
    changed = max(1, int((len(scripts) + len(documents)) * CHANGED) - len(documents))
    renamed = {}
    for number, script in enumerate(scripts[:: len(scripts) // changed][:changed]):
        script.write_bytes(script.read_bytes() + b"!0;")
        renamed[script.name] = f"chunk-new{number}-{number:010x}.js"
        script.rename(script.with_name(renamed[script.name]))
    for document in documents:
        text = re.sub("chunk[^>]+", lambda match: renamed.get(match[0], match[0]), document.read_text())
        document.write_text(text + "\n<!-- rebuilt -->")
    return changed + len(documents)


class Bench:
    """One server, and what was measured on it."""

    def __init__(self, server: SeaweedFS, peers: list[Peer], rounds: int) -> None:
        self._server, self._peers, self._rounds = server, peers, rounds
        self._s3 = server.client()
        self._quickest = next((peer for peer in peers if peer.name == "s5cmd"), peers[0])
        self._buckets = 0

    def cold(self, tree: Path) -> dict[str, Row]:
        """Everything is new."""
        rows: dict[str, Row] = {}
        for _ in range(self._rounds):
            self._run(rows, "bluegreen publish", self._publish(tree, self._bucket(), "one"))
            for peer in self._peers:
                bucket = self._prepared(peer, tree)
                self._run(rows, peer.name, peer.copy(tree, bucket, "build"))
        return rows

    def release(self, tree: Path, following: Path) -> dict[str, Row]:
        """A rebuild, made available beside the former build; or, which only syncs do, put over it."""
        rows: dict[str, Row] = {}
        for _ in range(self._rounds):
            bucket = self._bucket()
            self._run({}, "", self._publish(tree, bucket, "one"))
            self._run(rows, "bluegreen publish", self._publish(following, bucket, "two"))
            for peer in self._peers:
                bucket = self._prepared(peer, following)
                self._run(rows, f"{peer.name}: new prefix", peer.copy(following, bucket, "two"))
                if peer.sync:
                    self._run({}, "", self._quickest.copy(tree, bucket, "one"))
                    self._run(rows, f"{peer.name}: in place, by size", peer.sync(following, bucket, "one"))
        return rows

    def _prepared(self, peer: Peer, tree: Path) -> str:
        bucket = self._bucket()
        if peer.prepare:
            self._run({}, "", peer.prepare(tree, bucket))
        return bucket

    def _publish(self, tree: Path, bucket: str, build_id: str) -> list[str]:
        options = ["--bucket", bucket, "--build-id", build_id, "--mode", "directory", "--no-precompress", "--json"]
        return [sys.executable, "-m", "bluegreen_cdn.cli.main", "publish", str(tree), *options]

    def _bucket(self) -> str:
        """A bucket that is ready: the first object makes the server lay out files, which is nobody's work here."""
        self._buckets += 1
        name = f"bench-{self._buckets}"
        self._s3.create_bucket(Bucket=name)
        self._s3.put_object(Bucket=name, Key="ready", Body=b"ready")
        return name

    def _run(self, rows: dict[str, Row], name: str, command: list[str]) -> None:
        before = self._server.counters()
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        began = time.perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
        seconds = time.perf_counter() - began
        if done.returncode:
            raise SystemExit(f"{' '.join(command)}\n{done.stderr[-2000:]}")
        after = self._server.counters()
        row = rows.setdefault(name, Row())
        row.seconds.append(seconds)
        now = resource.getrusage(resource.RUSAGE_CHILDREN)
        row.cpu_seconds.append(now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime)
        row.requests, row.sent_bytes = after[0] - before[0], after[1] - before[1]


def table(title: str, rows: dict[str, Row]) -> str:
    """The measurements, quickest first, for people and for Markdown alike."""
    ours = statistics.median(rows["bluegreen publish"].seconds)
    lines = [
        f"### {title}",
        "",
        "| | seconds | ours / theirs | its own CPU seconds | MB sent | requests |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for name, row in sorted(rows.items(), key=lambda item: statistics.median(item[1].seconds)):
        seconds = statistics.median(row.seconds)
        mark = "**" if name == "bluegreen publish" else ""
        lines.append(
            f"| {mark}{name}{mark} | {seconds:.2f} | {'' if mark else f'{ours / seconds:.2f}'} | "
            f"{statistics.median(row.cpu_seconds):.2f} | {row.sent_bytes / 1e6:.1f} | {row.requests:,} |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", choices=["small", "large", "release"], action="append")
    parser.add_argument("--release-of", choices=list(SIZES), default="large", help="the size of the release")
    parser.add_argument("--without", metavar="PEER", action="append", default=[], help="leave out a peer: 'aws', 'CDK'")
    parser.add_argument("--peers", type=Path, default=PEERS_FOLDER)
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # the server goes with us
    with tempfile.TemporaryDirectory(prefix="bench-publish-") as name, SeaweedFS(Path(name)) as server:
        os.environ |= server.environment() | {"RCLONE_CONFIG": str(Path(name) / "rclone.conf")}
        os.environ.pop("AWS_PROFILE", None)
        # Whoever installs a package has it compiled; ours is, with the first run, as the others are.
        os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
        peers = [peer for peer in find_peers(options.peers) if not peer.name.startswith(tuple(options.without))]
        print(f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
        print(f"SeaweedFS on loopback; {', '.join(versions(peers))}; medians of {options.rounds}\n")
        bench = Bench(server, peers, options.rounds)
        for key, (files, size) in SIZES.items():
            tree = Path(name) / key
            make_tree(tree, files, size)
            size = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
            if not options.only or key in options.only:
                print(table(f"Cold: {files:,} files, {size / 1e6:.0f} MB", bench.cold(tree)), flush=True)
        if not options.only or "release" in options.only:
            tree, following = Path(name) / options.release_of, Path(name) / "next"
            changed = next_build(tree, following)
            title = f"A release: {SIZES[options.release_of][0]:,} files, of which {changed} have changed"
            print(table(title, bench.release(tree, following)), flush=True)


if __name__ == "__main__":
    main()
