"""A user's stack with a site in it."""

import aws_cdk as cdk
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from bluegreen_cdn import BlueGreenSite, Build, ClassificationRules, Rollout, Verdict


class WebStack(cdk.Stack):
    """The shop's front end, beside something of the shop's own."""

    def __init__(self, scope: Construct, construct_id: str, *, dist: str) -> None:
        super().__init__(scope, construct_id, env=cdk.Environment(account="111122223333", region="us-east-1"))
        sqs.Queue(self, "Orders")
        self.site = BlueGreenSite(
            self,
            "Site",
            name="shop",
            build=Build.folder(dist),
            regions=["us-east-1", "eu-west-1"],
            rollout=Rollout.linear(percent=20, interval_minutes=1),
            rules=ClassificationRules.preset("vite"),
            verdict=Verdict(minimum_page_loads=20),
        )
        cdk.CfnOutput(self, "Store", value=self.site.key_value_store.key_value_store_arn)
