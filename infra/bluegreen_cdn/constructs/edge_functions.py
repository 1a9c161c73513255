"""The code at the edge: two CloudFront Functions and one version of a Lambda@Edge function."""

from __future__ import annotations

from aws_cdk import Aws, Duration, RemovalPolicy, Stack
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from bluegreen_cdn.constructs.bundling import edge_archive
from bluegreen_cdn.constructs.handler_function import archive_code
from bluegreen_cdn.constructs.names import resource_name
from bluegreen_cdn.domain.classification import ClassificationRules
from bluegreen_cdn.edge_code import edge_handler_path, render_function


class EdgeFunctions(Construct):
    """What runs inside CloudFront, ready to be associated with behaviours.

    Attributes:
        viewer_request: Chooses the build.
        hashed_request: The same where no origin request follows, which would put the build before the path.
        viewer_response: Makes the choice stick.
        origin_request: A numbered version of the Lambda@Edge function; CloudFront takes no alias.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        name: str,
        rules: ClassificationRules,
        mode: str,
        precompress: bool = True,
        key_value_store: cloudfront.IKeyValueStore,
    ) -> None:
        """Create the functions.

        Args:
            scope: Where they belong, in a stack in us-east-1.
            construct_id: Their id there.
            name: The site's name.
            rules: Which files carry a hash and which are entries.
            mode: How a path becomes a document: `spa`, `directory` or `html`.
            precompress: Whether builds have precompressed variants, and so the edge asks for them. Default: they have.
            key_value_store: Where the routing state is.
        """
        super().__init__(scope, construct_id)

        def function(
            part: str, source: str, comment: str, *, called: str | None = None, direct: bool = False
        ) -> cloudfront.Function:
            code = render_function(
                (edge_handler_path() / source).read_text(), rules, mode, name, precompress=precompress, direct=direct
            )
            return cloudfront.Function(
                self,
                part,
                function_name=resource_name(name, called or source.removesuffix(".js").replace("_", "-")),
                code=cloudfront.FunctionCode.from_inline(code),
                comment=comment,
                key_value_store=key_value_store,
                runtime=cloudfront.FunctionRuntime.JS_2_0,
            )

        self.viewer_request = function("ViewerRequest", "viewer_request.js", f"{name}: which build a visitor sees")
        self.hashed_request = function(
            "HashedRequest",
            "viewer_request.js",
            f"{name}: where hashed files are",
            called="hashed-request",
            direct=True,
        )
        self.viewer_response = function("ViewerResponse", "viewer_response.js", f"{name}: the choice sticks")
        self.origin_request = self._origin_request(name)

    def request_association(self) -> cloudfront.FunctionAssociation:
        """The viewer-request function in its place."""
        return cloudfront.FunctionAssociation(
            function=self.viewer_request, event_type=cloudfront.FunctionEventType.VIEWER_REQUEST
        )

    def hashed_association(self) -> cloudfront.FunctionAssociation:
        """The viewer-request function in its place where no origin request follows."""
        return cloudfront.FunctionAssociation(
            function=self.hashed_request, event_type=cloudfront.FunctionEventType.VIEWER_REQUEST
        )

    def response_association(self) -> cloudfront.FunctionAssociation:
        """The viewer-response function in its place."""
        return cloudfront.FunctionAssociation(
            function=self.viewer_response, event_type=cloudfront.FunctionEventType.VIEWER_RESPONSE
        )

    def origin_association(self) -> cloudfront.EdgeLambda:
        """The Lambda@Edge version in its place."""
        return cloudfront.EdgeLambda(
            function_version=self.origin_request, event_type=cloudfront.LambdaEdgeEventType.ORIGIN_REQUEST
        )

    def _origin_request(self, name: str) -> lambda_.IVersion:
        role = iam.Role(
            self,
            "OriginRequestRole",
            assumed_by=iam.CompositePrincipal(
                iam.ServicePrincipal("lambda.amazonaws.com"), iam.ServicePrincipal("edgelambda.amazonaws.com")
            ),
        )
        function = lambda_.Function(
            self,
            "OriginRequest",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.X86_64,
            handler="origin_request.handler",
            code=archive_code(edge_archive()),
            description=f"{name}: which key at the origin",
            timeout=Duration.seconds(5),
            memory_size=128,
            role=role,
            # A version that an edge still runs cannot be deleted for hours: an update must not try. One whose creation
            # is rolled back must go, because the same code cannot be published a second time.
            current_version_options=lambda_.VersionOptions(removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE),
        )
        log_group = f"log-group:/aws/lambda/us-east-1.{function.function_name}"
        iam.Policy(
            self,
            "OriginRequestLogs",
            roles=[role],
            statements=[
                iam.PolicyStatement(
                    # It logs where it runs, in a group that it makes itself there: the region cannot be named.
                    actions=["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
                    resources=[f"arn:{Aws.PARTITION}:logs:*:{Stack.of(self).account}:{log_group}:*"],
                )
            ],
        )
        return function.current_version
