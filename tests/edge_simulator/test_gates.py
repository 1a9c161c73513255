"""Policies are read by one thread at a time, and believed for a moment."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from bluegreen_cdn.local.edge import gates
from bluegreen_cdn.local.edge.cloud import CloudUnavailable, OriginUnreachable
from bluegreen_cdn.local.edge.config import Origin
from bluegreen_cdn.local.edge.fake_cloud import FakeCloud

ARN = "arn:aws:cloudfront::111122223333:distribution/E1"
ORIGIN = Origin(id="a", domain_name="b.s3.us-east-1.amazonaws.com", bucket="b", region="us-east-1")
OPEN = {"Statement": {"Effect": "Allow", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::b/*"}}


class SlowCloud(FakeCloud):
    def __init__(self):
        super().__init__()
        self.reads = 0
        self.go_on = threading.Event()
        self.started = threading.Event()

    def bucket_policy(self, bucket, region):
        self.reads += 1
        self.started.set()
        assert self.go_on.wait(10)
        if bucket not in self.policies:
            raise CloudUnavailable("gone")
        return self.policies[bucket]


def test_many_requests_read_once(monkeypatch):
    monkeypatch.setattr(gates, "POLICY_SECONDS", 3600)
    cloud = SlowCloud()
    cloud.policies["b"] = OPEN
    gate = gates.Gates(cloud)
    with ThreadPoolExecutor(8) as pool:
        first = [pool.submit(gate.may_read, ORIGIN, "k", ARN) for _ in range(8)]
        cloud.started.wait(10)
        cloud.go_on.set()
        assert all(each.result() for each in first)
        assert cloud.reads == 1
        monkeypatch.setattr(gates, "POLICY_SECONDS", 0)
        cloud.go_on.clear()
        cloud.started.clear()
        reading = pool.submit(gate.may_read, ORIGIN, "k", ARN)
        cloud.started.wait(10)
        assert gate.may_read(ORIGIN, "k", ARN), "the others go on with what was known"
        cloud.go_on.set()
        assert reading.result()
    assert cloud.reads == 2


def test_a_policy_that_cannot_be_read_is_an_origin_that_cannot_be_reached():
    cloud = SlowCloud()
    cloud.go_on.set()
    gate = gates.Gates(cloud)
    for _ in range(2):
        with pytest.raises(OriginUnreachable, match="gone"):
            gate.may_read(ORIGIN, "k", ARN)
    cloud.policies["b"] = OPEN
    assert gate.may_read(ORIGIN, "k", ARN)
