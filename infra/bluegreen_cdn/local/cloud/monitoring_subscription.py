"""`AWS::CloudFront::MonitoringSubscription`: whether a distribution has its additional metrics, as the API tells it."""

from collections.abc import Mapping
from typing import Any

from bluegreen_cdn.local.cloud.seams import require

RESOURCE_TYPE = "AWS::CloudFront::MonitoringSubscription"
STATUSES = ("Enabled", "Disabled")


class MonitoringSubscriptions:
    """The handlers that go into ministack's table of resource types; the distribution's record keeps the status."""

    def __init__(self, provisioners: Any) -> None:
        require(provisioners, "_RESOURCE_HANDLERS", "_cf")
        require(provisioners._cf, "_distributions")
        self._distributions = provisioners._cf._distributions
        provisioners._RESOURCE_HANDLERS[RESOURCE_TYPE] = {
            "create": self.create,
            "update": self.update,
            "delete": self.delete,
        }

    def create(self, logical_id: str, props: Mapping[str, Any], stack_name: str) -> tuple[str, dict[str, Any]]:
        """Switch a distribution's additional metrics on or off."""
        identifier = str(props.get("DistributionId") or "")
        distribution = self._distributions.get(identifier)
        if distribution is None:
            raise ValueError(f"The specified distribution does not exist: {identifier!r}")
        if "MonitoringSubscription" in distribution:
            raise ValueError(f"A monitoring subscription already exists for distribution {identifier}")
        distribution["MonitoringSubscription"] = _status(props)
        return identifier, {}

    def update(
        self, physical_id: str, old: Mapping[str, Any], new: Mapping[str, Any], stack_name: str
    ) -> tuple[str, dict[str, Any]]:
        """Change the status; another distribution is another subscription."""
        if new.get("DistributionId") != physical_id:
            made = self.create("", new, stack_name)
            self.delete(physical_id, old)
            return made
        self._distributions[physical_id]["MonitoringSubscription"] = _status(new)
        return physical_id, {}

    def delete(self, physical_id: str, props: Mapping[str, Any]) -> None:
        """Switch them off; a distribution that is gone has none."""
        (self._distributions.get(physical_id) or {}).pop("MonitoringSubscription", None)


def _status(props: Mapping[str, Any]) -> str:
    config = (props.get("MonitoringSubscription") or {}).get("RealtimeMetricsSubscriptionConfig") or {}
    status = config.get("RealtimeMetricsSubscriptionStatus")
    if status not in STATUSES:
        raise ValueError(f"RealtimeMetricsSubscriptionStatus is {status!r}; it must be one of {', '.join(STATUSES)}")
    return str(status)
