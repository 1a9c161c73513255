"""The local cloud: AWS's APIs on this machine, with the behaviour that releases rest on.

`LocalCloud` starts and stops it; everything else here runs inside its child process.
"""

from bluegreen_cdn.local.cloud.launcher import LocalCloud

__all__ = ["LocalCloud"]
