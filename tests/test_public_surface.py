"""What users may rely on. Whoever adds a name adds it here; whoever takes one away breaks somebody."""

import subprocess
import sys

import pytest

import bluegreen_cdn

PACKAGE = {
    "BlueGreenError",
    "BlueGreenSite",
    "Build",
    "ClassificationRules",
    "HeaderRule",
    "HeaderRules",
    "InvalidInput",
    "NoTraffic",
    "Rollout",
    "Verdict",
    "__version__",
}
CONSTRUCTS = {
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
}


def loaded_by(program: str) -> set[str]:
    """The modules that a fresh interpreter has after a program."""
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport sys; print(*sys.modules)"],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return set(done.stdout.split())


def test_the_package_exports_exactly_this() -> None:
    assert set(bluegreen_cdn.__all__) == PACKAGE
    assert set(dir(bluegreen_cdn)) == PACKAGE
    for name in PACKAGE:
        assert getattr(bluegreen_cdn, name) is not None
    with pytest.raises(AttributeError, match="has no attribute 'BlueGreenSites'"):
        _ = bluegreen_cdn.BlueGreenSites


def test_the_constructs_export_exactly_this() -> None:
    from bluegreen_cdn import constructs

    assert set(constructs.__all__) == CONSTRUCTS
    for name in CONSTRUCTS:
        assert getattr(constructs, name) is not None


def test_importing_the_package_loads_neither_the_cdk_nor_the_sdk() -> None:
    loaded = loaded_by("import bluegreen_cdn")
    assert not {"aws_cdk", "jsii", "boto3", "botocore", "click", "rich"} & loaded
    assert not {name for name in loaded if name.startswith("bluegreen_cdn.")}


def test_values_can_be_had_without_the_cdk() -> None:
    program = "from bluegreen_cdn import Rollout, Verdict, ClassificationRules, BlueGreenError"
    assert not {"aws_cdk", "jsii", "boto3"} & loaded_by(program)


def test_the_version_is_that_of_the_distribution() -> None:
    import importlib.metadata

    assert bluegreen_cdn.__version__ == importlib.metadata.version("bluegreen-cdn")
