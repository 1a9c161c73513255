"""Blue/green distribution of web assets through CloudFront, with a rehearsal on your own machine."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bluegreen_cdn.constructs.build import Build
    from bluegreen_cdn.constructs.site import BlueGreenSite
    from bluegreen_cdn.domain.classification import ClassificationRules
    from bluegreen_cdn.domain.header_rules import HeaderRule, HeaderRules
    from bluegreen_cdn.domain.no_traffic import NoTraffic
    from bluegreen_cdn.domain.rollout import Rollout
    from bluegreen_cdn.domain.verdict import Verdict
    from bluegreen_cdn.errors import BlueGreenError, InvalidInput

# Imported when asked for: `aws_cdk` starts a Node process, and neither the command line nor a Lambda wants one.
_HOMES = {
    "BlueGreenError": "errors",
    "BlueGreenSite": "constructs.site",
    "Build": "constructs.build",
    "ClassificationRules": "domain.classification",
    "HeaderRule": "domain.header_rules",
    "HeaderRules": "domain.header_rules",
    "InvalidInput": "errors",
    "NoTraffic": "domain.no_traffic",
    "Rollout": "domain.rollout",
    "Verdict": "domain.verdict",
}

__all__ = [
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
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
