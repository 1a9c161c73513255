"""A deployed site as an operator sees and steers it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from bluegreen_cdn import defaults
from bluegreen_cdn.aws.clock import Clock
from bluegreen_cdn.aws.key_value_store import build_key
from bluegreen_cdn.aws.operator_fitness import Fitness, Unwatched, Watcher
from bluegreen_cdn.aws.operator_ports import Records, Signals
from bluegreen_cdn.aws.ports import Alarms, KeyValueStore, Releases
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.domain.control import CHECKS, ControlState, Outcome, outcome_key
from bluegreen_cdn.domain.manifest import MANIFEST_PREFIX, build_of_manifest_key
from bluegreen_cdn.domain.observation import Observed
from bluegreen_cdn.domain.operations import Plan, Scene
from bluegreen_cdn.domain.operations_log import OPERATIONS_KEY, OperationsLog
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.domain.status import SiteStatus, site_status
from bluegreen_cdn.domain.status_releases import UNKNOWN_BUILD, ReleaseRecord, release_history
from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token
from bluegreen_cdn.errors import OperationRefused, PreconditionFailed, ReleaseError
from bluegreen_cdn.publish.object_store import ObjectStore

PREVIEW_PARAMETER = "__bg_preview"


@dataclass(frozen=True, kw_only=True)
class Look:
    """One look at a site.

    Attributes:
        seen: What the traffic sync would see.
        outcome: How the last release went, if any has.
        log: The releases that operators have taken back.
        etag: The store's version.
    """

    seen: Observed
    outcome: Outcome | None
    log: OperationsLog
    etag: str


@dataclass(frozen=True, kw_only=True)
class OperatedSite:
    """A site's control plane, from outside.

    Attributes:
        name: The site.
        domain: Where it is served.
        rules: The classification rules of its edge; None if it does not say.
        precompress: Whether its edge asks for precompressed variants.
        holdout: The hold-out it is configured with, in basis points.
        store: The KeyValueStore.
        releases: Alias and CodeDeploy.
        records: What CodeDeploy remembers.
        alarms: The alarms that stop a release.
        own_alarms: The alarms about the control plane itself.
        signals: What browsers reported.
        buckets: The bucket of every region, the primary one first.
        clock: Time.
        quick: Whether a build that visitors are to get is looked at by its documents alone. Default: all of it is.
        watcher: Whom to tell how far that is. Default: nobody.
    """

    name: str
    domain: str
    rules: ClassificationRules | None
    precompress: bool
    holdout: int
    store: KeyValueStore
    releases: Releases
    records: Records
    alarms: Alarms
    own_alarms: Alarms
    signals: Signals
    buckets: Mapping[str, ObjectStore]
    clock: Clock
    quick: bool = False
    watcher: Watcher = field(default_factory=Unwatched)

    def look(self) -> Look:
        """See what the traffic sync would see, and what it has noted.

        Raises:
            ReleaseError: The site has had no release yet.
            CloudError: The cloud refused.
        """
        keys = (defaults.ROUTING_KEY, defaults.CONTROL_KEY, defaults.OUTCOME_KEY, OPERATIONS_KEY)
        snapshot = self.store.read(*keys)
        routing, control, outcome, log = (snapshot.values[key] for key in keys)
        if routing is None:
            raise ReleaseError(f"site {self.name!r} has no routing state yet: deploy it first")
        # Asked twice, so that alias and deployments belong to the same moment; as the traffic sync does.
        deployments = self.releases.deployments()
        for _ in range(defaults.CONFLICT_ATTEMPTS):
            alias = self.releases.alias()
            before, deployments = deployments, self.releases.deployments()
            if before == deployments:
                break
        seen = Observed(
            routing=RoutingState.from_json(routing),
            control=ControlState.from_json(control) if control is not None else ControlState(),
            alias=alias,
            deployments=deployments,
            alarms=self.alarms.on(),
            holdout=self.holdout,
            now=self.clock.now(),
        )
        return Look(
            seen=seen,
            outcome=Outcome.from_json(outcome) if outcome is not None else None,
            log=OperationsLog.from_json(log),
            etag=snapshot.etag,
        )

    def scene(self, look: Look) -> Scene:
        """What a command is decided on."""
        # To stop a release nobody has to know what was before it; each look back costs calls, and it is urgent.
        records = () if look.seen.running else self.records.newest(defaults.ROLLBACK_DEPLOYMENTS_LOOKED_AT)
        return Scene(
            seen=look.seen,
            published=self.published(),
            history=tuple(record.deployment for record in records if record.deployment.target != UNKNOWN_BUILD),
            log=look.log,
            unfit=self.unfit,
        )

    def status(self, window_seconds: int) -> SiteStatus:
        """The site at this moment.

        Args:
            window_seconds: How far the error rates look back.
        """
        look = self.look()
        published = {region: builds_in(bucket) for region, bucket in self.buckets.items()}
        routing = look.seen.routing
        known = {build for builds in published.values() for build in builds} | {routing.stable}
        return site_status(
            site=self.name,
            seen=look.seen,
            outcome=look.outcome,
            published=published,
            retained=self.retained(known | ({routing.candidate} if routing.candidate else set())),
            missing_alarms=self.alarms.missing(),
            own_alarms=[alarm.name for alarm in self.own_alarms.on()],
            rates=self.signals.rates(window_seconds),
            window_seconds=window_seconds,
            schedule=self.records.schedule() if look.seen.running else None,
        )

    def history(self, deployments: int) -> tuple[ReleaseRecord, ...]:
        """The releases that can still be told, newest first.

        Args:
            deployments: How many deployments to look at, rollbacks among them.
        """
        look = self.look()
        records = self.records.newest(deployments)
        keys = {made: outcome_key(made) for made in (*(record.deployment.id for record in records), *CHECKS)}
        values = self.store.read(*keys.values()).values
        outcomes = {made: Outcome.from_json(text) for made, key in keys.items() if (text := values[key]) is not None}
        # Not those from before the oldest deployment that was looked at.
        since = records[-1].deployment.created if len(records) == deployments else 0.0
        refused = [outcomes[check] for check in CHECKS if check in outcomes and outcomes[check].at >= since]
        return release_history(records, outcomes, look.log, refused)

    def preview_link(self, build: str, *, path: str, lifetime_seconds: int, base: str | None = None) -> str:
        """An address that shows a build to whoever has it, until it expires.

        Args:
            build: The build.
            path: What to show.
            lifetime_seconds: How long.
            base: Scheme and host, such as `https://www.example.com`. Default: CloudFront's own domain name.

        Raises:
            OperationRefused: There is no such build, or it could not be served.
        """
        if build not in self.published():
            raise OperationRefused(f"there is no build {build!r}: it has no manifest in the primary bucket")
        why = self.unfit(build, quick=True)
        if why is not None:
            raise OperationRefused(f"build {build} cannot be served: {why}")
        secret = self.store.read(defaults.SECRET_KEY).values[defaults.SECRET_KEY]
        if secret is None:
            raise ReleaseError(f"site {self.name!r} has no secret to sign with: deploy it again")
        expires = int(self.clock.now()) + lifetime_seconds
        token = sign_token(secret, build, purpose=TokenPurpose.PREVIEW, expires=expires)
        scheme, host, *_ = urlsplit(base or f"https://{self.domain}")
        address = urlsplit(path)
        query = f"{address.query}&" if address.query else ""
        return urlunsplit((scheme, host, address.path, f"{query}{PREVIEW_PARAMETER}={token}", address.fragment))

    def published(self) -> tuple[str, ...]:
        """The builds that exist."""
        return builds_in(next(iter(self.buckets.values())))

    def retained(self, builds: Collection[str]) -> frozenset[str]:
        """Those of some builds that the edge may serve."""
        values = self.store.read(*(build_key(build) for build in builds)).values if builds else {}
        return frozenset(build for build in builds if values[build_key(build)] is not None)

    def unfit(self, build: str, *, quick: bool | None = None) -> str | None:
        """Why a build that exists could not be served just now; None if it could.

        Args:
            build: The build.
            quick: Look at its documents alone. Default: as the site was opened.
        """
        if not self.retained([build]):
            return "the edge no longer keeps it (it may be about to be collected); publish it again first"
        fitness = Fitness(
            buckets=self.buckets,
            rules=self.rules,
            precompress=self.precompress,
            quick=self.quick if quick is None else quick,
            watcher=self.watcher,
        )
        return fitness.unfit(build)

    def carry_out(self, plan: Plan, look: Look, replan: Callable[[Look], Plan]) -> Plan:
        """Write what a plan says, see that it is there, and stop the deployment.

        Args:
            plan: What was agreed to.
            look: What it was worked out from.
            replan: Works the plan out again when somebody else has written meanwhile.

        Returns:
            The plan that was carried out; of the same intent.

        Raises:
            OperationRefused: What has changed meanwhile has changed the plan; nothing was done.
            ReleaseError: It was written, and has been undone by somebody since.
        """
        for attempt in range(1, defaults.CONFLICT_ATTEMPTS + 1):
            try:
                self._write(plan, look)
                break
            except PreconditionFailed:
                if attempt == defaults.CONFLICT_ATTEMPTS:
                    raise
                look = self.look()
                again = replan(look)
                if again.intent != plan.intent:
                    raise OperationRefused(
                        "the state has changed since the plan was made, and the plan with it; nothing was done: look "
                        "at `bluegreen status` and repeat the command"
                    ) from None
                plan = again
        if plan.stop is not None:
            self.releases.stop(plan.stop)
        self._verify(plan)
        return plan

    def _write(self, plan: Plan, look: Look) -> None:
        puts: dict[str, str] = {}
        if plan.routing != look.seen.routing:
            puts[defaults.ROUTING_KEY] = plan.routing.to_json()
        if plan.control != look.seen.control:
            puts[defaults.CONTROL_KEY] = plan.control.to_json()
        if puts and plan.outcome is not None:
            puts |= plan.outcome.puts()
        if puts and plan.log is not None:
            puts[OPERATIONS_KEY] = plan.log.to_json()
        if puts:
            self.store.update(puts, etag=look.etag)

    def _verify(self, plan: Plan) -> None:
        values = self.store.read(defaults.ROUTING_KEY, defaults.CONTROL_KEY).values
        routing = RoutingState.from_json(values[defaults.ROUTING_KEY] or "")
        control = ControlState.from_json(values[defaults.CONTROL_KEY] or ControlState().to_json())
        # The sync may have been here since: only what the command is about must have lasted.
        pinned = control.pin.build if control.pin else None
        wanted = plan.control.pin.build if plan.control.pin else None
        if pinned != wanted or (routing.epoch == plan.routing.epoch and routing != plan.routing):
            raise ReleaseError(
                f"the change was written and is not there any more (pinned is {pinned or 'no build'} instead of "
                f"{wanted or 'none'}): somebody else changed it at once; look at `bluegreen status`"
            )


def builds_in(bucket: ObjectStore) -> tuple[str, ...]:
    """The builds whose manifest is in a bucket."""
    found = (build_of_manifest_key(key) for key in bucket.list_keys(MANIFEST_PREFIX))
    return tuple(sorted(build for build in found if build is not None))
