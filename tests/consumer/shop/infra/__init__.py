"""The consumer's own package, called as many CDK projects call theirs."""
