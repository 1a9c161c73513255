"""What a scenario is: who appears, what happens, and what is checked beside the invariants of every story."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bluegreen_cdn.local.rehearsal.builds import PreparedBuild
from bluegreen_cdn.local.rehearsal.scene import Scene
from bluegreen_cdn.local.rehearsal.workshop import Workshop


@dataclass(frozen=True, kw_only=True)
class OwnSite:
    """A site that a scenario has for itself, where the shared one will not do.

    Attributes:
        name: The site's name.
        first: Makes the build to begin with.
        context: Further context values of its deployments.
        routes: Ways through its pages for visitors with scripts.
    """

    name: str
    first: Callable[[Workshop], PreparedBuild]
    context: Mapping[str, str] = field(default_factory=dict)
    routes: tuple[tuple[str, ...], ...] = ()


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """One story with its invariants.

    Attributes:
        name: What `--scenario` calls it.
        happens: What happens, for the table.
        checked: What is checked beside the invariants of every story, for the table.
        builds: Makes the builds that it releases; their ids are new to the site.
        play: Tells the story; the visitors are there already. What it raises, or checks in vain, fails it.
        visited: Whether visitors come. Default: yes.
        judged: Whether an alarm is to judge a build of it. If not, the verdict looks back one minute only, so that the
            next release need not wait long until nothing of this one's is left in the verdict's window. Default: no.
        context: Further context values of its deployments. Default: none.
        contexts: The same for single builds, by the build's name. Default: none.
        site: A site of its own. Default: the one that scenarios share.
    """

    name: str
    happens: str
    checked: str
    builds: Callable[[Workshop], Sequence[PreparedBuild]]
    play: Callable[[Scene], Awaitable[None]]
    visited: bool = True
    judged: bool = False
    context: Mapping[str, str] = field(default_factory=dict)
    contexts: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    site: OwnSite | None = None
