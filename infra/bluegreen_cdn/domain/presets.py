"""Where known bundlers put files whose names carry a hash.

Angular and plain webpack write hashed files into the site's root, where a folder rule would take in everything: they
get globs that spell out the length of the hash. Nuxt's `builds/latest.json` needs no exception, its name carries no
token.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Preset:
    """The classification rules of one bundler's output; see `ClassificationRules`."""

    hashed_folders: tuple[str, ...]
    hashed: tuple[str, ...] = ()
    unhashed: tuple[str, ...] = ()


PRESETS = {
    "vite": Preset(("assets/",)),
    "next": Preset(("_next/static/",)),
    "cra": Preset(("static/js/", "static/css/", "static/media/")),
    "sveltekit": Preset(("_app/immutable/",)),
    "nuxt": Preset(("_nuxt/",)),
    "astro": Preset(("_astro/",)),
    "angular": Preset(
        ("media/",),
        hashed=(
            "{main,polyfills,chunk,scripts,worker}-????????.js",
            "styles-????????.css",
            # Its webpack builder, the default before version 17, wrote 16 hex digits.
            "{main,polyfills,runtime,scripts,common}.????????????????.js",
            "styles.????????????????.css",
        ),
    ),
    "webpack": Preset(
        ("js/", "css/", "img/", "fonts/"),
        hashed=("*.????????????????????.{js,css}",),
    ),
}
