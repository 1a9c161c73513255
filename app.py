"""The CDK app: one site, as the context in `cdk.json` and `cdk -c key=value` say it.

cdk deploy --all -c build=path/to/dist        release what the bundler wrote
cdk deploy --all -c build_id=8f3a1c90d2e4b567  release a build that exists already
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import aws_cdk as cdk
from aws_cdk import aws_certificatemanager as acm
from bluegreen_cdn.constructs.context import SiteContext
from bluegreen_cdn.constructs.site import BlueGreenSite
from bluegreen_cdn.domain.regions import EDGE_REGION
from bluegreen_cdn.errors import BlueGreenError


def main() -> None:
    """Synthesise the app."""
    # Run without the CDK command, nobody else would read it.
    in_file = json.loads((Path(__file__).parent / "cdk.json").read_text())["context"]
    app = cdk.App(context=in_file)
    context = SiteContext.read(app.node.try_get_context)
    env = cdk.Environment(account=os.environ.get("CDK_DEFAULT_ACCOUNT"), region=EDGE_REGION)
    stack = cdk.Stack(app, context.name, env=env, description=f"{context.name}: builds, releases and their control")
    arn = context.certificate_arn
    BlueGreenSite(
        stack,
        "Site",
        name=context.name,
        build=context.build,
        regions=context.regions,
        rollout=context.rollout,
        rules=context.rules,
        mode=context.mode,
        verdict=context.verdict,
        domain_names=context.domain_names,
        certificate=acm.Certificate.from_certificate_arn(stack, "Certificate", arn) if arn else None,
    )
    app.synth()


if __name__ == "__main__":
    try:
        main()
    except BlueGreenError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
