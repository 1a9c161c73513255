"""What a rehearsal is asked to do, checked before anything starts."""

from dataclasses import dataclass, field
from pathlib import Path

from bluegreen_cdn.domain.rollout import Rollout
from bluegreen_cdn.errors import InvalidInput
from bluegreen_cdn.local.rehearsal.builds import check_folder

TIME_SCALE = 20.0
"""A canary step of five minutes takes fifteen seconds."""
TIME_SCALE_LIMITS = (1.0, 120.0)
ROLLOUT = "canary:20%:5m:bake=2m:holdout=5%"
VISITORS = 50
SITE = "storefront"
REGIONS = ("us-east-1", "eu-west-1")


@dataclass(frozen=True, kw_only=True)
class RehearsalOptions:
    """The choices of one rehearsal.

    Attributes:
        stable: Folder of the first build; None for the example's.
        candidate: Folder of the second build; None for the example's.
        bad: Release a failing copy of the candidate afterwards. The example always has a bad third build.
        time_scale: How many times faster minutes pass.
        rollout: How candidates are let in.
        visitors: How many HTTP visitors there are at a time.
        output: Folder for the report.
        seed: For addresses, arrivals and behaviour.
        browsers: How many real browser sessions, where Chromium is installed.
    """

    stable: Path | None = None
    candidate: Path | None = None
    bad: bool = False
    time_scale: float = TIME_SCALE
    rollout: str = ROLLOUT
    visitors: int = VISITORS
    output: Path = field(default_factory=lambda: Path("build/rehearsal"))
    seed: int = 1
    browsers: int = 1

    def __post_init__(self) -> None:
        """Refuse what cannot be rehearsed.

        Raises:
            InvalidInput: An option is not acceptable; the message names it and the mend.
        """
        if (self.stable is None) != (self.candidate is None):
            given, missing = ("--stable", "--candidate") if self.candidate is None else ("--candidate", "--stable")
            raise InvalidInput(f"{given} is given without {missing}: pass both, or neither to use the example builds")
        if self.stable is not None and self.candidate is not None:
            stable, candidate = check_folder(self.stable, "--stable"), check_folder(self.candidate, "--candidate")
            if stable == candidate:
                raise InvalidInput(f"--stable and --candidate are the same folder {stable}: pass two different builds")
        elif self.bad:
            raise InvalidInput("--bad makes a failing copy of --candidate: pass --stable and --candidate too")
        low, high = TIME_SCALE_LIMITS
        if not low <= self.time_scale <= high:
            raise InvalidInput(f"--time-scale is {self.time_scale:g}; it must be from {low:g} to {high:g}")
        if not 10 <= self.visitors <= 2000:
            raise InvalidInput(f"--visitors is {self.visitors}; it must be from 10 to 2000")
        Rollout.parse(self.rollout)

    @property
    def uses_example(self) -> bool:
        """Whether the builds are the example's."""
        return self.stable is None

    @property
    def site(self) -> str:
        """The site's name in the local cloud."""
        return SITE if self.uses_example else "your-app"
