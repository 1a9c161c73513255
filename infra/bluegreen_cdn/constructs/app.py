"""One site as a whole CDK app, described by context values alone: what `app.py` and rehearsals synthesise."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm

from bluegreen_cdn.constructs.context import SiteContext
from bluegreen_cdn.constructs.site import BlueGreenSite
from bluegreen_cdn.domain.regions import EDGE_REGION
from bluegreen_cdn.errors import BlueGreenError


def synthesise(context: Mapping[str, Any] | None = None) -> None:
    """Synthesise the app.

    Args:
        context: Values that the CDK command's own (`cdk.json`, `-c`) win over. Default: none.

    Raises:
        BlueGreenError: A value is missing or not acceptable; the message names it and the mend.
    """
    app = cdk.App(context=dict(context or {}))
    site = SiteContext.read(app.node.try_get_context)
    env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=EDGE_REGION)
    stack = cdk.Stack(app, site.name, env=env, description=f"{site.name}: builds, releases and their control")
    arn = site.certificate_arn
    BlueGreenSite(
        stack,
        "Site",
        name=site.name,
        build=site.build,
        regions=site.regions,
        rollout=site.rollout,
        rules=site.rules,
        mode=site.mode,
        verdict=site.verdict,
        smoke_fetch=site.smoke_fetch,
        dashboard=site.dashboard,
        beacon_rate_limit=site.beacon_rate_limit,
        precompress=site.precompress,
        domain_names=site.domain_names,
        certificate=acm.Certificate.from_certificate_arn(stack, "Certificate", arn) if arn else None,
    )
    app.synth()


def main(context: Mapping[str, Any] | None = None) -> None:
    """Synthesise the app; a mistake in the context is one line on stderr and an exit code.

    Args:
        context: As for `synthesise`.
    """
    try:
        synthesise(context)
    except BlueGreenError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
