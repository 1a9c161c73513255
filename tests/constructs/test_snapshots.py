"""The templates as they stand: a change here is a change of users' resources (`pytest --snapshot-update`)."""

import json
import re
from typing import Any

import pytest
from syrupy.assertion import SnapshotAssertion
from syrupy.extensions.json import JSONSnapshotExtension

MASKS = (
    (r"[0-9a-f]{64}[.]zip", "<asset>.zip"),
    (r"(CurrentVersion[0-9A-F]{8})[0-9a-f]{32}", r"\1<code>"),
)
"""What depends on the sources of handlers and edge code, which have tests of their own."""


def masked(template: dict[str, Any]) -> Any:
    for resource in template["Resources"].values():
        properties = resource.get("Properties", {})
        if resource["Type"] == "AWS::CloudFront::Function":
            properties["FunctionCode"] = "<code>"
    text = json.dumps(template)
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text)
    return json.loads(text)


@pytest.mark.parametrize("stack", ["shop-edge", "shop-eu-west-1", "web"])
def test_a_template_is_as_it_was(templates: Any, stack: str, snapshot: SnapshotAssertion) -> None:
    template = masked(json.loads(json.dumps(templates[stack])))
    assert template == snapshot(extension_class=JSONSnapshotExtension)
