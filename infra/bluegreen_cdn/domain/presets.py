"""Where known bundlers put files whose names carry a hash.

Folders that only a bundler writes to (`_app/immutable/`, `_astro/`, most of `_next/static/` and `_nuxt/`) are hashed as
a whole: Turbopack's names (`2t_4l9pr09bb9.js`) follow no rule that a hand-written name could not.

Vite's `assets/` holds copied files too. Its scripts and styles are known by the place of the hash alone, as missing
one breaks pages; other files by the token rule, which takes `logo-download.svg` for a word.

Angular and plain webpack write hashed files into the site's root, where a folder rule would take in everything: they
get globs that spell out the length of the hash.
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
    "vite": Preset(("assets/",), hashed=("assets/*-????????.{js,css}",)),
    "next": Preset(("_next/static/",), hashed=("_next/static/{chunks,css,media}/**",)),
    "cra": Preset(("static/js/", "static/css/", "static/media/")),
    "sveltekit": Preset(("_app/immutable/",), hashed=("_app/immutable/**",)),
    "nuxt": Preset(("_nuxt/",), hashed=("_nuxt/**",), unhashed=("_nuxt/builds/latest.json",)),
    "astro": Preset(("_astro/",), hashed=("_astro/**",)),
    "angular": Preset(("media/",), hashed=("{main,polyfills,chunk,scripts,worker}-????????.js", "styles-????????.css")),
    "webpack": Preset(
        ("js/", "css/", "img/", "fonts/"),
        hashed=("*.????????????????????.{js,css}",),
    ),
}
