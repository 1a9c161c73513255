"""Custom resource: give the KeyValueStore its first routing state and its secret, once.

Properties: `BuildId`, `KeyValueStoreArn`, `HoldoutBasisPoints`, and `Occasion`, whose change makes it run. What is
there already is never changed: a template that carried weights would undo a release with every update. Only the routing
state's format is raised to the newest: this stack comes after the edge's, so by now every edge can read it.

Its attribute `Pin` says which build is pinned, for the output of `cdk deploy`. It is read before the release and not
after: a resource that failed after the release would take it back.
"""

import datetime
import secrets
from dataclasses import replace

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.key_value_store import CloudFrontKeyValueStore
from bluegreen_cdn.aws.ports import KeyValueStore
from bluegreen_cdn.domain.builds import check_build_id
from bluegreen_cdn.domain.control import ControlState
from bluegreen_cdn.domain.routing import ROUTING_FORMAT, RoutingState
from bluegreen_cdn.errors import ForeignState, InvalidInput, PreconditionFailed
from bluegreen_cdn.handlers.custom_resource import ResourceAnswer, ResourceRequest, custom_resource

_SECRET_BYTES = 32


@custom_resource
def handler(request: ResourceRequest) -> ResourceAnswer:
    """Entry point."""
    holdout = str(request.properties.get("HoldoutBasisPoints", ""))
    if not holdout.isdecimal():
        raise InvalidInput(f"property HoldoutBasisPoints is {holdout!r}; it must be a whole number of basis points")
    arn = request.text("KeyValueStoreArn")
    store = CloudFrontKeyValueStore(arn)
    seed(store, build=check_build_id(request.text("BuildId")), holdout=int(holdout))
    pin = tell_pin(store, now=datetime.datetime.now(datetime.UTC))
    return ResourceAnswer(physical_id=f"seed-{arn.rsplit('/', 1)[-1]}", data={"Pin": pin})


def tell_pin(store: KeyValueStore, *, now: datetime.datetime) -> str:
    """Which build is pinned, in words that stay true: the output that shows them may be looked at days later.

    Args:
        store: The site's store.
        now: In UTC.
    """
    text = store.read(defaults.CONTROL_KEY).values[defaults.CONTROL_KEY]
    pin = ControlState.from_json(text).pin if text is not None else None
    when = f"when this deploy began, {now:%Y-%m-%d %H:%M} UTC"
    if pin is None:
        return f"no build was pinned {when}"
    return (
        f"build {pin.build} was pinned {when}: visitors get it whatever this stack says, until a later release "
        f"succeeds or bluegreen unpin"
    )


def seed(store: KeyValueStore, *, build: str, holdout: int) -> tuple[str, ...]:
    """Write what is absent, and raise the format of what is there.

    Args:
        store: The site's store.
        build: Becomes stable if there is no routing state.
        holdout: In basis points.

    Returns:
        The keys that were written.

    Raises:
        UnsupportedFormat: A newer version of this package wrote a value; nothing was changed.
        ForeignState: A value under our name is not ours; nothing was changed.
    """
    for attempt in range(1, defaults.CONFLICT_ATTEMPTS + 1):
        seen = store.read(defaults.ROUTING_KEY, defaults.CONTROL_KEY, defaults.SECRET_KEY)
        _check_ours(
            seen.values[defaults.ROUTING_KEY], seen.values[defaults.CONTROL_KEY], seen.values[defaults.SECRET_KEY]
        )
        puts: dict[str, str] = {}
        routing = seen.values[defaults.ROUTING_KEY]
        if routing is None:
            puts[defaults.ROUTING_KEY] = RoutingState(epoch=1, stable=build, holdout=holdout).to_json()
        elif (state := RoutingState.from_json(routing)).format < ROUTING_FORMAT:
            puts[defaults.ROUTING_KEY] = replace(state, format=ROUTING_FORMAT, epoch=state.epoch + 1).to_json()
        if seen.values[defaults.SECRET_KEY] is None:
            puts[defaults.SECRET_KEY] = secrets.token_hex(_SECRET_BYTES)
        if not puts:
            return ()
        try:
            store.update(puts, etag=seen.etag)
        except PreconditionFailed:
            if attempt == defaults.CONFLICT_ATTEMPTS:
                raise
        else:
            return tuple(puts)
    raise AssertionError("unreachable")


def _check_ours(routing: str | None, control: str | None, secret: str | None) -> None:
    if routing is not None:
        RoutingState.from_json(routing)
    if control is not None:
        ControlState.from_json(control)
    if secret is not None and (len(secret) != 2 * _SECRET_BYTES or set(secret) - set("0123456789abcdef")):
        # The value is not shown, for it may be somebody's secret all the same.
        raise ForeignState(
            f"the KeyValueStore's value {defaults.SECRET_KEY!r} is not 64 hexadecimal characters, so bluegreen-cdn did "
            f"not write it; remove it or use another store"
        )
