"""CloudFront on this machine: an edge simulator that knows the cloud only through its public APIs.

What it does as CloudFront does: behaviours, CloudFront Functions with their limits, KeyValueStores that arrive late,
cache keys and lifetimes, Lambda@Edge at the origin triggers, origin access control and groups, error pages, response
headers policies, invalidations, the access log. A distribution with a setting that it cannot honour is refused, not
served anyway.

What it leaves out: TLS and the redirect to it (`*.localhost` counts as secure), regional edge caches and Origin Shield,
Lambda@Edge at the viewer triggers, web application firewalls, staging distributions, partial fetches from the origin (a
range fetches the whole object), alternate domain names (any host name is served), and the timing of a real network.
"""

from bluegreen_cdn.local.edge.simulator import EdgeSimulator

__all__ = ["EdgeSimulator"]
