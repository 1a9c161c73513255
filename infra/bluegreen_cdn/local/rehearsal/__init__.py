"""A whole release on this machine: real CDK deployments, visitors with open tabs, and a report of what they saw."""
