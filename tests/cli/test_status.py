import json
from typing import Any

from bluegreen_cdn.cli import status as command
from bluegreen_cdn.domain.status_rates import ErrorRate


def test_a_pipe_gets_plain_lines(shop: Any, bluegreen: Any) -> None:
    shop.begin("three")
    shop.sync()
    shop.releases.shift(1000)
    shop.sync()
    shop.signals.by_role = {
        "stable": ErrorRate(page_loads=90, errors=1),
        "candidate": ErrorRate(page_loads=0, errors=0),
    }
    shop.own_alarms.ringing = {"bluegreen-shop-drift"}
    code, said, _ = bluegreen("status")
    assert code == 0
    lines = said.splitlines()
    assert lines[:4] == ["site: shop", "stable: two", "candidate: three at 10 %", "alias: two, three at 10 %"]
    for line in (
        "deployment: d-2: release of three, from two",
        "next: 100 %, 5 min after 10 % began",
        "alarms: quiet",
        "control plane: bluegreen-shop-drift is on",
        "candidate errors: no page loads in the last 10 min",
        "stable errors: 1.1 % (0.2 to 6.0), 1 of 90 page loads in the last 10 min",
        "build two: stable",
        "build one: not let in",
    ):
        assert line in lines


def test_a_pin_and_an_alarm_cannot_be_overlooked(shop: Any, bluegreen: Any) -> None:
    bluegreen("rollback", "--yes")
    shop.alarms.ringing = {"worse"}
    said = bluegreen("status")[1]
    assert "pin: one, until a later release succeeds or `bluegreen unpin`" in said
    assert "drift: the edge has build one by its pin, the alias has build two" in said
    assert "alarms: worse" in said
    assert "build one: stable, pinned" in said


def test_json_is_one_object(shop: Any, bluegreen: Any) -> None:
    value = json.loads(bluegreen("status", "--json")[1])
    assert (value["edge"]["stable"], value["alias"]["primary"], value["pin"]) == ("two", "two", None)
    assert value["outcome"]["result"] == "promoted"


def test_a_terminal_gets_a_table(shop: Any, capsys: Any) -> None:
    from rich.console import Console

    console = Console(width=100, force_terminal=True, record=True)
    console.print(command._table(shop.operated().status(300)))
    text = console.export_text()
    assert "shop, 1970-01-12 13:48:20Z" in text
    assert "stable" in text


def test_the_secret_is_shown_nowhere(shop: Any, bluegreen: Any) -> None:
    from bluegreen_cdn import defaults

    secret = shop.store.values[defaults.SECRET_KEY]
    for arguments in (["status"], ["status", "--json"], ["history"], ["preview", "three"], ["rollback", "--yes"]):
        _, said, complaint = bluegreen(*arguments)
        assert secret not in said + complaint
