"""A stack update's events, as on AWS: nothing about resources that did not change, and CREATE for new ones."""

from collections.abc import Callable
from typing import Any

from bluegreen_cdn.local.cloud.seams import replace

_Key = tuple[str, str]


class StackEvents:
    """Holds an UPDATE_IN_PROGRESS back until it is known whether anything is done to the resource."""

    def __init__(self, stacks: Any) -> None:
        self._held: dict[_Key, Callable[[str], None]] = {}
        self._new: set[_Key] = set()
        self._add: Callable[..., None] = replace(stacks, "_add_event", self._on_event)
        self._update: Callable[..., Any] = replace(stacks, "_update_resource", self._on_update)
        self._provision: Callable[..., Any] = replace(stacks, "_provision_resource", self._on_provision)

    def _on_event(
        self,
        stack_id: str,
        stack_name: str,
        logical_id: str,
        resource_type: str,
        status: str,
        reason: str = "",
        physical_id: str = "",
        detailed_status: str = "",
    ) -> None:
        key = (stack_name, logical_id)

        def add(kind: str) -> None:
            self._add(
                stack_id,
                stack_name,
                logical_id,
                resource_type,
                status.replace("UPDATE", kind),
                reason,
                physical_id,
                detailed_status,
            )

        if status == "UPDATE_IN_PROGRESS" and not reason and not physical_id and logical_id != stack_name:
            self._held[key] = add
            return
        if status == "UPDATE_COMPLETE" and key in self._held:
            del self._held[key]  # nothing was done in between
            return
        if status == "UPDATE_FAILED":
            self._release(key, "UPDATE")
        if key in self._new and status in ("UPDATE_COMPLETE", "UPDATE_FAILED"):
            self._new.discard(key)
            add("CREATE")
            return
        add("UPDATE")

    def _on_update(
        self,
        resource_type: str,
        physical_id: str,
        old: Any,
        new: Any,
        stack_name: str,
        logical_id: str | None = None,
        attributes: Any = None,
    ) -> Any:
        if old != new:
            self._release((stack_name, logical_id or ""), "UPDATE")
        return self._update(resource_type, physical_id, old, new, stack_name, logical_id, attributes)

    def _on_provision(self, resource_type: str, logical_id: str, props: Any, stack_name: str) -> Any:
        key = (stack_name, logical_id)
        if key in self._held:
            self._new.add(key)
            self._release(key, "CREATE")
        return self._provision(resource_type, logical_id, props, stack_name)

    def _release(self, key: _Key, kind: str) -> None:
        held = self._held.pop(key, None)
        if held:
            held(kind)
