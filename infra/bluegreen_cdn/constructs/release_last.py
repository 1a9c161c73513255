"""The release comes last: the alias is moved when everything else in its stack has been deployed."""

from __future__ import annotations

import itertools

import jsii
from aws_cdk import Aspects, IAspect, Stack
from aws_cdk import aws_lambda as lambda_
from constructs import IConstruct


def release_last(alias: lambda_.Alias) -> None:
    """Make the alias depend on everything else in its stack, when the stack is synthesised.

    A canary takes its time. What fails beside it would cancel it; what is not there yet would be missing in it. Left
    out is only what says that it comes after the site: `something.node.add_dependency(site)`.
    """
    Aspects.of(alias).add(_ReleaseLast(alias))


@jsii.implements(IAspect)
class _ReleaseLast:
    def __init__(self, alias: lambda_.Alias) -> None:
        self._alias = alias

    def visit(self, node: IConstruct) -> None:
        if node.node.path != self._alias.node.path:
            return
        stack = Stack.of(self._alias).node.path
        inside = [scope for scope in self._alias.node.scopes if f"{scope.node.path}/".startswith(f"{stack}/")]
        for above, below in itertools.pairwise(inside):
            for beside in above.node.children:
                if beside.node.path != below.node.path and not self._comes_after(beside):
                    self._alias.node.add_dependency(beside)

    def _comes_after(self, beside: IConstruct) -> bool:
        """Whether something below this waits for the alias, or for something that contains it."""
        return any(
            f"{self._alias.node.path}/".startswith(f"{target.node.path}/")
            for construct in beside.node.find_all()
            for target in construct.node.dependencies
        )
