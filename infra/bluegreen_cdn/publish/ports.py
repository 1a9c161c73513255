"""The other ports of publishing: whoever is told which builds exist, and whoever watches."""

from typing import Protocol

from bluegreen_cdn.publish.compress_plan import Precompress
from bluegreen_cdn.publish.object_store import PutOutcome
from bluegreen_cdn.publish.plan import PublishPlan, Upload


class BuildRegistry(Protocol):
    """Where the edge looks up which builds it may still serve (a key per build in the KeyValueStore)."""

    def retain(self, build_id: str) -> None:
        """Make a build one that the edge may serve; nothing happens if it is one already.

        Raises:
            CloudError: The registry could not be written.
        """


class Progress(Protocol):
    """Whoever watches a publish. Called from several threads."""

    def planned(self, plan: PublishPlan) -> None:
        """The plan is made; uploading begins."""

    def stored(self, upload: Upload, outcome: PutOutcome) -> None:
        """One file is in place, written now or found there."""

    def compressed(self, variants: Precompress) -> None:
        """The precompressed variants of one file are in place."""


class NoProgress:
    """Watches nothing."""

    def planned(self, plan: PublishPlan) -> None:
        """Do nothing."""

    def stored(self, upload: Upload, outcome: PutOutcome) -> None:
        """Do nothing."""

    def compressed(self, variants: Precompress) -> None:
        """Do nothing."""
