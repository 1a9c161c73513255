"""What brotli and gzip make of real builds, and how quickly, by one core and by two.

Run `make bench-compression`, or `python benchmarks/bench_compression.py FOLDER …` for builds of your own. Without
folders it takes the storefront of `examples/` if that is built, and the `min/` folder of `monaco-editor`, which it
fetches with `npm pack`.
"""

import subprocess
import sys
import tempfile
import time
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import brotli

from bluegreen_cdn.defaults import GZIP_LEVEL
from bluegreen_cdn.domain.encodings import is_compressible
from bluegreen_cdn.publish.compress import Compression, compress
from bluegreen_cdn.publish.source import SourceFile, open_source

PACKAGE = "monaco-editor@0.52.2"
CDN_BROTLI, CDN_GZIP = 5, 6
"""CloudFront does not say which levels it compresses with; these are what CDNs and web servers commonly use while a
visitor waits (nginx's brotli and zlib's own default are 6, Cloudflare has named 4 and 5)."""
CDN_BYTES = range(1_000, 10_000_001)
"""CloudFront compresses files of these sizes only."""


def main() -> int:
    """Print the tables."""
    with tempfile.TemporaryDirectory(prefix="bench-compression-") as scratch:
        builds = dict(_builds(Path(scratch)))
        print("| build | text, bytes | CDN brotli | CDN gzip | brotli 11 | brotli 5 | gzip 9 |")
        print("|---|---|---|---|---|---|---|")
        for name, folder in builds.items():
            print(_sizes(name, folder))
        print("\n| | one core, MB/s | two threads, MB/s |\n|---|---|---|")
        largest = max(builds.values(), key=lambda folder: sum(len(data) for _, data in _texts(folder)))
        for effort in Compression:
            print(_speed(effort, largest))
    return 0


def _builds(scratch: Path) -> list[tuple[str, Path]]:
    if len(sys.argv) > 1:
        return [(Path(each).name, Path(each)) for each in sys.argv[1:]]
    found = []
    storefront = Path(__file__).resolve().parents[1] / "examples" / "storefront" / "dist"
    if storefront.is_dir():
        found.append(("storefront", storefront))
    subprocess.run(["npm", "pack", "--silent", PACKAGE], cwd=scratch, check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["tar", "-xzf", *map(str, scratch.glob("*.tgz")), "package/min"], cwd=scratch, check=True)
    return [*found, (PACKAGE, scratch / "package" / "min")]


def _texts(folder: Path) -> list[tuple[SourceFile, bytes]]:
    with open_source(folder) as source:
        return [(file, (folder / file.path).read_bytes()) for file in source.listing() if is_compressible(file.path)]


def _sizes(name: str, folder: Path) -> str:
    texts = _texts(folder)
    whole = sum(len(data) for _, data in texts)

    def cdn(size: int, packed: int) -> int:
        return packed if size in CDN_BYTES else size

    cdn_br = sum(cdn(len(data), len(brotli.compress(data, quality=CDN_BROTLI))) for _, data in texts)
    cdn_gzip = sum(cdn(len(data), len(zlib.compress(data, CDN_GZIP)) + 12) for _, data in texts)
    made = {effort: _compressed(effort, folder, texts, 2)[0] for effort in Compression}
    best, fast = made[Compression.BEST], made[Compression.FAST]

    def against(size: int, cdns: int) -> str:
        return f"{size:,} ({size / cdns - 1:+.1%})"

    return (
        f"| {name}, {len(texts)} files | {whole:,} | {cdn_br:,} | {cdn_gzip:,} | {against(best['br'], cdn_br)} "
        f"| {against(fast['br'], cdn_br)} | {against(best['gzip'], cdn_gzip)} |"
    )


def _speed(effort: Compression, folder: Path) -> str:
    texts = _texts(folder)
    whole = sum(len(data) for _, data in texts)
    rates = [f"{whole / _compressed(effort, folder, texts, threads)[1] / 1e6:.2f}" for threads in (1, 2)]
    return f"| {effort} (brotli {effort.brotli_quality} and gzip {GZIP_LEVEL}) | {' | '.join(rates)} |"


def _compressed(
    effort: Compression, folder: Path, texts: list[tuple[SourceFile, bytes]], threads: int
) -> tuple[dict[str, int], float]:
    """Bytes by encoding, and seconds."""
    sizes = {"br": 0, "gzip": 0}

    def one(file: SourceFile) -> list[tuple[str, int]]:
        with open(folder / file.path, "rb") as stream:
            made = compress(stream, sizes, effort, path=file.path, sha256=file.sha256)
        for each in made:
            each.body.close()
        return [(each.variant.encoding, each.variant.size) for each in made]

    began = time.perf_counter()
    with ThreadPoolExecutor(threads) as pool:
        for found in pool.map(one, sorted((file for file, _ in texts), key=lambda file: -file.size)):
            for encoding, size in found:
                sizes[encoding] += size
    return sizes, time.perf_counter() - began


if __name__ == "__main__":
    sys.exit(main())
