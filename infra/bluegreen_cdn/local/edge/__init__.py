"""CloudFront on this machine: an edge simulator that knows the cloud only through its public APIs."""

from bluegreen_cdn.local.edge.simulator import EdgeSimulator

__all__ = ["EdgeSimulator"]
