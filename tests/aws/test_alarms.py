import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bluegreen_cdn.aws.alarms import CloudWatchAlarms
from bluegreen_cdn.aws.fakes import FakeAlarms
from bluegreen_cdn.domain.observation import Alarm
from bluegreen_cdn.errors import AccessDenied

SINCE = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)


class Stub:
    """CloudWatch with some alarms."""

    def __init__(self, **states: str) -> None:
        self.states = states
        self.calls: list[dict[str, Any]] = []

    def describe_alarms(self, **call: Any) -> dict[str, Any]:
        self.calls.append(call)
        found = [
            {"AlarmName": name, "StateValue": self.states[name], "StateTransitionedTimestamp": SINCE}
            for name in call["AlarmNames"]
            if name in self.states
        ]
        kinds = {"CompositeAlarms": [alarm for alarm in found if alarm["AlarmName"].startswith("all")]}
        return kinds | {"MetricAlarms": [alarm for alarm in found if not alarm["AlarmName"].startswith("all")]}


def test_only_alarm_is_on() -> None:
    stub = Stub(worse="ALARM", slow="OK", new="INSUFFICIENT_DATA", all_of_it="ALARM")
    alarms = CloudWatchAlarms(["worse", "slow", "new", "all_of_it"], cloudwatch=stub)
    assert {alarm.name for alarm in alarms.on()} == {"worse", "all_of_it"}
    assert all(alarm.since == SINCE.timestamp() for alarm in alarms.on())
    assert alarms.missing() == ()
    assert set(stub.calls[0]["AlarmTypes"]) == {"MetricAlarm", "CompositeAlarm"}


def test_alarms_of_others_are_none_of_ours() -> None:
    stub = Stub(worse="OK", foreign="ALARM")
    assert CloudWatchAlarms(["worse", "gone"], cloudwatch=stub).on() == ()
    assert CloudWatchAlarms(["worse", "gone"], cloudwatch=stub).missing() == ("gone",)


def test_more_names_than_one_call_takes() -> None:
    names = [f"alarm-{number}" for number in range(250)]
    stub = Stub(**dict.fromkeys(names, "ALARM"))
    assert len(CloudWatchAlarms(names, cloudwatch=stub).on()) == 250
    assert [len(call["AlarmNames"]) for call in stub.calls] == [100, 100, 50]


def test_no_alarms_need_no_call() -> None:
    """Without names DescribeAlarms would give every alarm of the account."""
    stub = Stub(foreign="ALARM")
    assert CloudWatchAlarms([], cloudwatch=stub).on() == ()
    assert stub.calls == []


def test_the_sdks_errors_are_ours() -> None:
    class Refusing:
        def describe_alarms(self, **call: Any) -> None:
            raise ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "DescribeAlarms")

    with pytest.raises(AccessDenied):
        CloudWatchAlarms(["worse"], cloudwatch=Refusing()).on()


def test_the_fake_says_the_same() -> None:
    fake = FakeAlarms(ringing={"b", "a"}, unknown={"c"})
    assert fake.on() == (Alarm(name="a"), Alarm(name="b"))
    assert fake.missing() == ("c",)
