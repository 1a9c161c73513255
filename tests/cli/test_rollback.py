import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from bluegreen_cdn import defaults
from bluegreen_cdn.cli import verify_progress
from bluegreen_cdn.cli.main import bluegreen as group
from bluegreen_cdn.domain.control import OutcomeKind, Pin
from bluegreen_cdn.domain.healing import EdgeRules
from bluegreen_cdn.domain.manifest import manifest_key
from bluegreen_cdn.domain.observation import AliasTraffic, DeploymentStatus
from bluegreen_cdn.domain.routing import RoutingState
from bluegreen_cdn.errors import CloudError
from bluegreen_cdn.publish.heal import Healer


def letting_in(shop: Any, build: str = "three") -> None:
    """A release is in progress, at 10 %."""
    shop.begin(build)
    shop.sync()
    shop.releases.shift(1000)
    shop.sync()
    assert (shop.routing.candidate, shop.routing.weight) == (build, 1000)


def test_after_a_release_the_build_before_it_comes_back_and_the_alias_stays(shop: Any, bluegreen: Any) -> None:
    code, said, _ = bluegreen("rollback", "--yes")
    assert code == 0
    assert "1. pin build one: all visitors get its documents, instead of those of two" in said
    assert "done: build one is stable (epoch" in said
    assert shop.control.pin == Pin(build="one", after="d-1")
    assert shop.releases.alias() == AliasTraffic(primary="two")
    for _ in range(3):
        shop.sync()
        assert shop.routing.stable == "one"
    assert shop.outcome.kind is OutcomeKind.WITHDRAWN


def test_a_pin_ends_with_the_next_release_and_is_not_gone_back_behind(shop: Any, bluegreen: Any) -> None:
    bluegreen("rollback", "--yes")
    letting_in(shop)
    shop.releases.shift(10_000)
    shop.sync()
    shop.releases.end(DeploymentStatus.SUCCEEDED)
    shop.sync()
    assert (shop.control.pin, shop.routing.stable) == (None, "three")
    # CodeDeploy says that three came after two; visitors had one.
    assert bluegreen("rollback", "--yes")[0] == 0
    assert shop.routing.stable == "one"


def test_during_a_release_its_build_is_out_before_codedeploy_has_moved(shop: Any, bluegreen: Any) -> None:
    letting_in(shop)
    code, said, _ = bluegreen("rollback", "--yes")
    assert code == 0
    assert "1. take build three out at the edge, at once: 10 % → 0 %" in said
    assert shop.releases.stopped == ["d-2"]
    assert (shop.routing.stable, shop.routing.weight) == ("two", 0)
    assert shop.releases.alias().additional == "three", "the alias is CodeDeploy's"
    shop.sync()
    assert shop.routing.weight == 0
    shop.releases.traffic = AliasTraffic(primary="two")
    shop.sync()
    assert (shop.control.latches, shop.control.pin) == ((), None)
    assert shop.outcome.reason == "build three was taken back by hand"


def test_to_repeat_a_command_does_no_more(shop: Any, bluegreen: Any) -> None:
    for command in (["rollback"], ["unpin"], ["withdraw", "two"], ["rollback", "--to", "three"]):
        assert bluegreen(*command, "--yes")[0] == 0
        before = dict(shop.store.values)
        code, said, _ = bluegreen(*command, "--yes")
        assert code == 0
        assert "nothing to do: " in said
        assert shop.store.values == before


def test_unpin_goes_back_to_the_alias(shop: Any, bluegreen: Any) -> None:
    bluegreen("rollback", "--yes")
    code, said, _ = bluegreen("unpin", "--yes")
    assert code == 0
    assert "note: all visitors get build two at once" in said
    assert (shop.routing.stable, shop.control.pin) == ("two", None)
    assert bluegreen("rollback", "--yes")[0] == 0


def test_in_a_pipe_nobody_can_agree(shop: Any, bluegreen: Any) -> None:
    before = dict(shop.store.values)
    code, said, complaint = bluegreen("rollback")
    assert code == 2
    assert "pin build one" in said
    assert "pass --yes to agree to the plan" in complaint
    assert shop.store.values == before
    code, _, complaint = bluegreen("rollback", "--json")
    assert (code, "--json needs --yes" in complaint) == (2, True)


@pytest.mark.parametrize(("answer", "stable"), [("y\n", "one"), ("n\n", "two")])
def test_on_a_terminal_it_asks(shop: Any, monkeypatch: pytest.MonkeyPatch, answer: str, stable: str) -> None:
    from bluegreen_cdn.cli import rollback_steps

    class Terminal:
        def isatty(self) -> bool:
            return True

    runner = CliRunner()
    with monkeypatch.context() as patch:
        patch.setattr(rollback_steps, "sys", type("sys", (), {"stdin": Terminal()}))
        done = runner.invoke(group, ["rollback", "--site", "shop"], input=answer)
    assert "Do this? [y/N]" in done.output
    assert (done.exit_code == 0) == (stable == "one")
    assert shop.routing.stable == stable


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["rollback", "--to", "nope"], "there is no build 'nope'"),
        (["rollback", "--to", "old"], "the site's edge would look for 'assets/index-B3x9aZ0q.js' in vain"),
        (["withdraw", "nope"], "there is no build 'nope'"),
        (["rollback", "--to", "../x"], "build id"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(
    shop: Any, bluegreen: Any, arguments: list[str], reason: str
) -> None:
    before = dict(shop.store.values)
    code, _, complaint = bluegreen(*arguments, "--yes")
    assert code in (1, 2)
    assert reason in complaint
    assert shop.store.values == before


def test_a_build_of_other_rules_that_is_where_the_edge_looks_is_as_good_as_any(shop: Any, bluegreen: Any) -> None:
    edge = EdgeRules(rules=shop.operated().rules, precompress=False)
    for bucket in shop.buckets.values():
        Healer(bucket, edge).heal(["old"])
    bluegreen("rollback", "--to", "old", "--yes")
    assert shop.routing.stable == "old"


def test_a_build_that_is_not_in_a_region_is_refused(shop: Any, bluegreen: Any) -> None:
    del shop.buckets["eu-west-1"].objects["builds/one/index.html"]
    assert "eu-west-1: builds/one/index.html: missing" in bluegreen("rollback", "--yes")[2]
    assert "'builds/one/index.html' is missing or differs in eu-west-1" in bluegreen("rollback", "--yes", "--quick")[2]
    del shop.buckets["eu-west-1"].objects[manifest_key("one")]
    assert "eu-west-1: manifests/one.json: missing" in bluegreen("rollback", "--yes")[2]
    assert "its manifest is not in eu-west-1" in bluegreen("rollback", "--yes", "--quick")[2]
    del shop.store.values[f"{defaults.BUILD_KEY_PREFIX}one"]
    assert "the edge no longer keeps it" in bluegreen("rollback", "--yes")[2]
    assert shop.control.pin is None


def test_a_writer_in_between_is_no_harm(shop: Any, bluegreen: Any) -> None:
    def once() -> None:
        shop.store.before_update = lambda: None
        changed = RoutingState(epoch=9, stable="two", regions_out=("eu-west-1",))
        shop.store.write({defaults.ROUTING_KEY: changed.to_json()})

    shop.store.before_update = once
    assert bluegreen("rollback", "--yes")[0] == 0
    assert (shop.routing.stable, shop.routing.epoch, shop.routing.regions_out) == ("one", 10, ("eu-west-1",))


def test_a_writer_who_changes_the_plan_stops_it(shop: Any, bluegreen: Any) -> None:
    def once() -> None:
        shop.store.before_update = lambda: None
        letting_in(shop)

    shop.store.before_update = once
    code, _, complaint = bluegreen("rollback", "--yes")
    assert code == 1
    assert "the state has changed since the plan was made" in complaint
    assert (shop.control.pin, shop.releases.stopped) == (None, [])


def test_scripts_are_told_in_json(shop: Any, bluegreen: Any) -> None:
    said = json.loads(bluegreen("rollback", "--yes", "--json")[1])
    assert (said["done"], said["stable"], said["stopped"]) == ("pin", "one", None)
    assert json.loads(bluegreen("rollback", "--yes", "--json")[1])["done"] == "nothing"


def test_every_file_is_looked_at_in_every_region_unless_it_must_be_quick(shop: Any, bluegreen: Any) -> None:
    """A page whose script is not there is no page: but only an operator knows what is worse."""
    for region, key in (("eu-west-1", "shared/assets/index-B3x9aZ0q.js"), ("us-east-1", "builds/one/favicon.ico")):
        lost = shop.buckets[region].objects.pop(key)
        code, _, said = bluegreen("rollback", "--yes")
        assert code == 1
        assert f"{region}: {key}: missing; mend it (bluegreen verify one --repair); if it cannot wait, --quick" in said
        assert shop.routing.stable == "two"
        shop.buckets[region].objects[key] = lost
    stored, data = shop.buckets["eu-west-1"].objects["builds/one/favicon.ico"]
    shop.buckets["eu-west-1"].objects["builds/one/favicon.ico"] = (replace(stored, size=1), data)
    assert "1 bytes instead of 3" in bluegreen("rollback", "--yes")[2]
    assert bluegreen("rollback", "--yes", "--quick")[0] == 0
    assert shop.routing.stable == "one"


def test_a_replica_that_is_away_is_left_out_of_a_quick_check_and_of_no_other(shop: Any, bluegreen: Any) -> None:
    def away(*arguments: object) -> None:
        raise CloudError("s3 failed: connection refused")

    shop.buckets["eu-west-1"].head = shop.buckets["eu-west-1"].lines = away
    assert bluegreen("rollback", "--yes")[0] == 1
    assert shop.routing.stable == "two"
    code, _, said = bluegreen("rollback", "--yes", "--quick")
    assert (code, shop.routing.stable) == (0, "one")
    assert "eu-west-1 does not answer and was not looked at: s3 failed: connection refused" in said
    shop.buckets["us-east-1"].head = away
    assert bluegreen("rollback", "--to", "three", "--yes", "--quick")[0] == 1, "the edge asks this one first"


def test_to_stop_a_release_nothing_is_looked_at(shop: Any, bluegreen: Any) -> None:
    shop.begin("three")
    shop.sync()
    for bucket in shop.buckets.values():
        bucket.faults.calls.clear()
    assert bluegreen("rollback", "--yes")[0] == 0
    assert not [call for bucket in shop.buckets.values() for call in bucket.faults.calls if call.startswith("head")]


def test_a_long_check_says_what_it_does(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(verify_progress, "_SAID_IN_A_PIPE_AFTER_SECONDS", 0.0)
    progress = verify_progress.VerifyProgress()
    for objects in range(3):
        progress.verified("one", objects)
    assert capsys.readouterr().err.count("build one: verifying every file in every region") == 1
    monkeypatch.setattr(verify_progress, "_EVERY_SECONDS", 0.0)
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    progress.verified("one", 12_345)
    assert "12,345 objects verified" in capsys.readouterr().err
