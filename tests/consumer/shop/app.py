"""The consumer's app: `python app.py DIST`."""

import json
import sys

import aws_cdk as cdk
import infra
from infra.web_stack import WebStack

import bluegreen_cdn

app = cdk.App(analytics_reporting=False)
stage = cdk.Stage(app, "prod")
WebStack(stage, "web", dist=sys.argv[1])
assembly = app.synth().get_nested_assembly("assembly-prod")
print(
    json.dumps(
        {
            "package": bluegreen_cdn.__file__,
            "infra": infra.__file__,
            "stacks": sorted(stack.stack_name for stack in assembly.stacks),
        }
    )
)
