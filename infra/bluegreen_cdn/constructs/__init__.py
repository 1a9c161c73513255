"""CDK constructs. The only part of the package that imports `aws_cdk`."""

from bluegreen_cdn.constructs.beacon_firewall import BeaconFirewall, BeaconRateLimit
from bluegreen_cdn.constructs.buckets import DistributionIdentity, RegionalBucket, ReplicatedBuckets
from bluegreen_cdn.constructs.build import Build
from bluegreen_cdn.constructs.client_metrics import ClientMetrics
from bluegreen_cdn.constructs.collector import Retention, RetentionCollector
from bluegreen_cdn.constructs.context import SiteContext
from bluegreen_cdn.constructs.control_plane import ControlPlane
from bluegreen_cdn.constructs.dashboard import ReleaseDashboard
from bluegreen_cdn.constructs.distribution import EdgeDistribution
from bluegreen_cdn.constructs.edge_functions import EdgeFunctions
from bluegreen_cdn.constructs.policies import EdgePolicies
from bluegreen_cdn.constructs.published_build import PublishedBuild
from bluegreen_cdn.constructs.release_alarms import ReleaseAlarms
from bluegreen_cdn.constructs.release_alias import ReleaseAlias
from bluegreen_cdn.constructs.release_check import ReleaseCheck
from bluegreen_cdn.constructs.release_hooks import ReleaseHooks
from bluegreen_cdn.constructs.routing_seed import RoutingSeed
from bluegreen_cdn.constructs.site import BlueGreenSite
from bluegreen_cdn.constructs.traffic_sync import TrafficSync

__all__ = [
    "BeaconFirewall",
    "BeaconRateLimit",
    "BlueGreenSite",
    "Build",
    "ClientMetrics",
    "ControlPlane",
    "DistributionIdentity",
    "EdgeDistribution",
    "EdgeFunctions",
    "EdgePolicies",
    "PublishedBuild",
    "RegionalBucket",
    "ReleaseAlarms",
    "ReleaseAlias",
    "ReleaseCheck",
    "ReleaseDashboard",
    "ReleaseHooks",
    "ReplicatedBuckets",
    "Retention",
    "RetentionCollector",
    "RoutingSeed",
    "SiteContext",
    "TrafficSync",
]
