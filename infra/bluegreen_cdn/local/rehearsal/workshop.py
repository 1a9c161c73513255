"""Makes the builds that stories release: the example's or the user's, and copies that differ from them."""

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from bluegreen_cdn.local.rehearsal import builds as build_folders
from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.example_builds import example_build
from bluegreen_cdn.local.rehearsal.options import RehearsalOptions
from bluegreen_cdn.local.rehearsal.service import Service

FIRST, SECOND, BAD = "first build", "second build", "bad build"


class Workshop:
    """The builds of one rehearsal.

    Args:
        options: Whose builds.
        folder: For copies.

    Attributes:
        notes: What was done to builds, for the report.
        service: What dependent builds depend on; it does not answer before it is started.
    """

    def __init__(self, options: RehearsalOptions, folder: Path) -> None:
        self._options, self._folder = options, folder
        self.notes: list[str] = []
        self.service = Service()

    def first(self) -> PreparedBuild:
        """The build to begin with."""
        return self._prepared(FIRST, "first", self._options.stable)

    def second(self) -> PreparedBuild:
        """The build to let in."""
        return self._prepared(SECOND, "second", self._options.candidate)

    def bad(self) -> PreparedBuild:
        """The build to take back."""
        return self._prepared(BAD, "bad", self._options.candidate, bad=True)

    def fresh(self, story: str, name: str = "candidate") -> PreparedBuild:
        """A good build that has never been published: the second one, with a file and a document of its own.

        Args:
            story: The scenario that it is for.
            name: What the report calls it; two builds of a story have different names.
        """
        return self._copy(self.second(), story, name)

    def fresh_bad(self, story: str, name: str = "bad build") -> PreparedBuild:
        """A bad build that has never been published.

        Args:
            story: The scenario that it is for.
            name: What the report calls it.
        """
        return self._copy(self.bad(), story, name)

    def dependent(self, story: str, name: str = "candidate") -> PreparedBuild:
        """A good build whose pages throw while the service that they ask is down.

        Args:
            story: The scenario that it is for.
            name: What the report calls it.
        """
        script = (
            f'fetch("{self.service.url}").then((answer) => {{\n'
            '  if (!answer.ok) throw new Error("the service that this page needs is down");\n'
            "});\n"
        )
        path = f"assets/dependent-{hashlib.sha256(script.encode()).hexdigest()[:10]}.js"
        return self.altered(story, name, head=f'<script src="/{path}"></script>', files={path: script})

    def example(self, app: str, flavour: str, name: str) -> PreparedBuild:
        """A build of an example app, whatever the options say.

        Args:
            app: The app.
            flavour: Which of its builds.
            name: What the report calls it.
        """
        build, _ = build_folders.prepare(example_build(app, flavour), name, self._folder / f"{app}-{flavour}")
        return build

    def altered(
        self, story: str, name: str, *, head: str = "", files: Mapping[str, str] | None = None
    ) -> PreparedBuild:
        """A copy of the second build with something more in it.

        Args:
            story: The scenario that it is for.
            name: What the report calls it.
            head: HTML for the head of every document, behind the client script's tag.
            files: Text of further files by path.
        """
        return self._copy(self.second(), story, name, head=head, files=files or {})

    def _prepared(self, name: str, flavour: str, given: Path | None, *, bad: bool = False) -> PreparedBuild:
        own = given is not None
        folder = given.resolve() if given is not None else example_build("storefront", flavour)
        build, note = build_folders.prepare(folder, name, self._folder / flavour, bad=bad and own)
        sentence = f"{note[:1].upper()}{note[1:]}." if note else ""
        if sentence and sentence not in self.notes:
            self.notes.append(sentence)
        return build

    def _copy(
        self,
        build: PreparedBuild,
        story: str,
        name: str,
        *,
        head: str = "",
        files: Mapping[str, str] | None = None,
    ) -> PreparedBuild:
        """Copy a build, and give it a hashed script of its own that each of its documents loads."""
        label = f"{story}, {name}"
        script = f'document.documentElement.dataset.rehearsal = "{label}";\n'
        token = hashlib.sha256(script.encode()).hexdigest()[:10]
        path = f"assets/rehearsal-{token}.js"
        folder = self._folder / f"{story}-{name.replace(' ', '-')}"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(build.folder, folder)
        for name_, text in {path: script, **(files or {})}.items():
            (folder / name_).parent.mkdir(parents=True, exist_ok=True)
            (folder / name_).write_text(text, encoding="utf-8")
        element = f'<script defer src="/{path}"></script>{head}'
        for document in sorted(folder.rglob("*.html")):
            text = document.read_text(encoding="utf-8", errors="surrogateescape")
            document.write_text(
                build_folders.insert_behind_client(text, element), encoding="utf-8", errors="surrogateescape"
            )
        return PreparedBuild(name=name, folder=folder, files=build_folders.read(folder), is_bad=build.is_bad)
