"""What the deployment engine needs of the rest of the cloud, and how deployments end badly."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from bluegreen_cdn.local.cloud.deployment_model import Scope


class Surroundings(Protocol):
    """What the engine needs of the rest of the cloud."""

    def read_alias(self, scope: Scope, function: str, alias: str) -> tuple[str, Mapping[str, float]]:
        """Give an alias's version and additional weights; raises LookupError."""

    def write_alias(self, scope: Scope, function: str, alias: str, version: str, weights: Mapping[str, float]) -> None:
        """Set an alias's version and weights."""

    def version_exists(self, scope: Scope, function: str, version: str) -> bool:
        """Whether the function has this version."""

    def call_hook(self, scope: Scope, function: str, payload: Mapping[str, str]) -> None:
        """Invoke a hook function without waiting for it."""

    def alarms_on(self, scope: Scope, names: Sequence[str]) -> list[str]:
        """Give those of the alarms that are in ALARM."""

    def send_event(self, scope: Scope, detail_type: str, detail: Mapping[str, Any], resources: Sequence[str]) -> None:
        """Put an event of CodeDeploy on the default bus."""


class DeploymentRunningError(Exception):
    """The group has a deployment in progress."""


class EndedError(Exception):
    """A deployment that does not succeed; `trigger` is the rollback event it stands for."""

    def __init__(self, status: str, code: str, message: str, trigger: str) -> None:
        super().__init__(message)
        self.status, self.code, self.trigger = status, code, trigger
