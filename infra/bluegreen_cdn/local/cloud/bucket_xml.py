"""A template's bucket configurations as the bodies of S3's own calls, pure.

What we do not know how to write is refused by name: a property that is dropped in silence makes a rehearsal lie.
"""

from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement, tostring

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"


class UnknownPropertyError(ValueError):
    """A property that the local cloud would have to drop."""


def replication_xml(configuration: Mapping[str, Any]) -> bytes:
    """Write a `ReplicationConfiguration`."""
    only(configuration, "ReplicationConfiguration", "Role", "Rules")
    root = Element("ReplicationConfiguration", xmlns=NAMESPACE)
    _texts(root, configuration, "Role")
    for rule in configuration.get("Rules") or []:
        only(
            rule,
            "ReplicationConfiguration rule",
            "Id",
            "Priority",
            "Status",
            "Filter",
            "Prefix",
            "Destination",
            "DeleteMarkerReplication",
            "SourceSelectionCriteria",
        )
        element = SubElement(root, "Rule")
        if rule.get("Id"):
            SubElement(element, "ID").text = str(rule["Id"])
        _texts(element, rule, "Priority", "Prefix", "Status")
        if "Filter" in rule:
            _nested(element, "Filter", _filter(rule["Filter"]))
        for name in ("DeleteMarkerReplication", "SourceSelectionCriteria", "Destination"):
            if name in rule:
                _nested(element, name, rule[name])
    return tostring(root)


def _filter(rule_filter: Mapping[str, Any]) -> dict[str, Any]:
    only(rule_filter, "replication rule Filter", "Prefix", "TagFilter", "And")
    found: dict[str, Any] = {}
    if "Prefix" in rule_filter:
        found["Prefix"] = rule_filter["Prefix"]
    if "TagFilter" in rule_filter:
        found["Tag"] = rule_filter["TagFilter"]
    if "And" in rule_filter:
        both = rule_filter["And"]
        found["And"] = {"Prefix": both.get("Prefix", ""), "Tag": both.get("TagFilters") or []}
    return found


def lifecycle_xml(configuration: Mapping[str, Any]) -> bytes:
    """Write a `LifecycleConfiguration`."""
    only(configuration, "LifecycleConfiguration", "Rules", "TransitionDefaultMinimumObjectSize")
    root = Element("LifecycleConfiguration", xmlns=NAMESPACE)
    for rule in configuration.get("Rules") or []:
        only(
            rule,
            "LifecycleConfiguration rule",
            "Id",
            "Prefix",
            "Status",
            "ExpirationInDays",
            "ExpiredObjectDeleteMarker",
            "NoncurrentVersionExpirationInDays",
            "NoncurrentVersionExpiration",
            "AbortIncompleteMultipartUpload",
        )
        element = SubElement(root, "Rule")
        if rule.get("Id"):
            SubElement(element, "ID").text = str(rule["Id"])
        _nested(element, "Filter", {"Prefix": rule.get("Prefix", "")})
        _texts(element, rule, "Status")
        expiration = {
            "Days": rule.get("ExpirationInDays"),
            "ExpiredObjectDeleteMarker": rule.get("ExpiredObjectDeleteMarker"),
        }
        noncurrent = rule.get("NoncurrentVersionExpiration") or {
            "NoncurrentDays": rule.get("NoncurrentVersionExpirationInDays")
        }
        for name, content in (
            ("Expiration", expiration),
            ("NoncurrentVersionExpiration", noncurrent),
            ("AbortIncompleteMultipartUpload", rule.get("AbortIncompleteMultipartUpload") or {}),
        ):
            said = {key: value for key, value in content.items() if value is not None}
            if said:
                _nested(element, name, said)
    return tostring(root)


def ownership_xml(configuration: Mapping[str, Any]) -> bytes:
    """Write `OwnershipControls`."""
    root = Element("OwnershipControls", xmlns=NAMESPACE)
    for rule in configuration.get("Rules") or []:
        _nested(root, "Rule", rule)
    return tostring(root)


def encryption_xml(configuration: Mapping[str, Any]) -> bytes:
    """Write a `BucketEncryption`."""
    root = Element("ServerSideEncryptionConfiguration", xmlns=NAMESPACE)
    for rule in configuration.get("ServerSideEncryptionConfiguration") or []:
        only(
            rule, "BucketEncryption rule", "ServerSideEncryptionByDefault", "BucketKeyEnabled", "BlockedEncryptionTypes"
        )
        element = SubElement(root, "Rule")
        if "ServerSideEncryptionByDefault" in rule:
            _nested(element, "ApplyServerSideEncryptionByDefault", rule["ServerSideEncryptionByDefault"])
        _texts(element, rule, "BucketKeyEnabled")
    return tostring(root)


def only(given: Mapping[str, Any], what: str, *known: str) -> None:
    """Refuse members that we do not know.

    Raises:
        UnknownPropertyError: There is one.
    """
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise UnknownPropertyError(
            f"the local cloud does not have {what} {', '.join(unknown)} (it has {', '.join(known)})"
        )


def _texts(parent: Element, given: Mapping[str, Any], *names: str) -> None:
    for name in names:
        if given.get(name) is not None:
            SubElement(parent, name).text = _text(given[name])


def _nested(parent: Element, name: str, content: Any) -> None:
    for one in content if isinstance(content, list) else [content]:
        element = SubElement(parent, name)
        if isinstance(one, Mapping):
            for key, value in one.items():
                _nested(element, key, value)
        else:
            element.text = _text(one)


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
