"""The simulator as a whole: functions, cache, Lambda@Edge and buckets together."""

import asyncio
import json
import time

import pytest

from bluegreen_cdn.local.edge.cloud import FunctionUrlRecord, Invalidation
from bluegreen_cdn.local.edge.messages import Response

STORE_ARN = "arn:aws:cloudfront::111122223333:key-value-store/bluegreen-shop"
ROUTER = """
import cf from 'cloudfront';
const store = cf.kvs();
async function handler(event) {
  const request = event.request;
  const routing = await store.get('routing', {format: 'json'});
  request.headers['x-build-id'] = {value: routing.stable};
  cf.logCustomData('build=' + routing.stable);
  return request;
}
"""
STICKY = """
function handler(event) {
  const build = event.request.headers['x-build-id'];
  event.response.cookies['__Host-bg-build'] = {value: build ? build.value : 'none', attributes: 'Secure; Path=/'};
  return event.response;
}
"""
REWRITE = """
def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    if not request["uri"].startswith("/builds/"):
        request["uri"] = "/builds/" + request["headers"]["x-build-id"][0]["value"] + request["uri"]
    return request
"""
YEAR = (31_536_000, 31_536_000, 31_536_000)


def age(site, seconds, location="us-east-1"):
    """Let everything cached grow older."""
    for entry in site.server.edge.locations[location].cache._entries.values():
        entry.stored -= seconds
        entry.rest_until -= seconds


def test_a_release_reaches_viewers_through_the_store(site):
    site.cloud.put_store(STORE_ARN, routing=json.dumps({"stable": "b1", "epoch": 1}))
    site.on_request(ROUTER)
    site.on_response(STICKY)
    site.at_edge(REWRITE)
    site.put("builds/b1/index.html", "one", content_type="text/html", cache_control="no-cache")
    site.put("builds/b2/index.html", "two", content_type="text/html", cache_control="no-cache")
    site.policy("keyed", headers=["x-build-id"], ttl=YEAR)

    first = site.get("/index.html")
    assert (first.status, first.body) == (200, b"one")
    assert first.headers["set-cookie"] == ["__Host-bg-build=b1; Secure; Path=/"]
    assert first.header("x-cache") == "Miss from cloudfront"
    assert site.get("/index.html").header("x-cache") == "Hit from cloudfront"
    assert site.trace.custom_data == ["build=b1"]

    site.cloud.put_store(STORE_ARN, routing=json.dumps({"stable": "b2", "epoch": 2}))
    site.refresh()
    assert site.get("/index.html").body == b"two"
    assert site.server.edge.locations["us-east-1"].status(1e12)["epoch"] == 2
    assert site.asked == ["builds/b1/index.html", "builds/b2/index.html"]


def test_each_location_has_its_own_cache(site):
    site.put("a.js")
    site.get("/a.js")
    assert site.get("/a.js", location="eu-west-1").header("x-cache") == "Miss from cloudfront"
    assert site.get("/a.js").header("x-cache") == "Hit from cloudfront"
    assert (site.counts("us-east-1")["hits"], site.counts("eu-west-1")["hits"]) == (1, 0)


def test_whether_viewer_response_sees_the_functions_headers_can_be_switched(site):
    site.on_request("function handler(e) { e.request.headers['x-build-id'] = {value: 'b9'}; return e.request; }")
    site.on_response(STICKY)
    site.put("a.js")
    assert "=b9;" in site.get("/a.js").header("set-cookie")
    site.server.edge.request_headers_visible_in_response = False
    assert "=none;" in site.get("/a.js").header("set-cookie")


def test_an_answer_of_the_function_reaches_no_origin_and_no_response_function(site):
    site.on_request("function handler() { return {statusCode: 204, headers: {'cache-control': {value: 'no-store'}}}; }")
    site.on_response(
        "function handler(event) { event.response.headers['x-seen'] = {value: '1'}; return event.response; }"
    )
    found = site.get("/anything")
    assert (found.status, found.header("x-cache")) == (204, "FunctionGeneratedResponse from cloudfront")
    assert found.header("x-seen") is None
    assert site.asked == []


def test_errors_of_an_origin_do_not_run_the_response_function(site):
    site.on_response(
        "function handler(event) { event.response.headers['x-seen'] = {value: '1'}; return event.response; }"
    )
    site.put("a.js")
    assert site.get("/a.js").header("x-seen") == "1"
    assert (site.get("/b.js").status, site.get("/b.js").header("x-seen")) == (403, None)
    beyond = site.get("/a.js", range="bytes=99-")
    assert (beyond.status, beyond.header("x-seen")) == (416, None)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("function handler() { throw new Error('boo'); }", 503),
        ("function handler(event) { event.request.headers.host = {value: 'x'}; return event.request; }", 502),
        ("function handler(event) { event.request.headers['x-amz-cf-id'] = {value: 'x'}; return event.request; }", 502),
        ("function handler(event) { event.request.headers.via = {value: 'x'}; return event.request; }", 502),
        ("function handler() { }", 502),
        ("function handler(e) { require('cloudfront').selectRequestOriginById('x'); return e.request; }", 502),
    ],
)
def test_a_failing_function_answers_as_cloudfront_does(site, code, status):
    site.on_request(code)
    assert site.get("/a.js").status == status
    assert site.counts()["function_errors"] == 1
    assert site.asked == []


def test_a_failing_response_function_hides_the_answer(site):
    site.put("a.js", "secret")
    site.on_response("function handler() { throw new Error('boo'); }")
    found = site.get("/a.js")
    assert found.status == 503
    assert b"secret" not in found.body


# -- cache ----------------------------------------------------------------------------------------------------------


def test_what_origins_allow_and_policies_demand(site):
    site.put("private.html", cache_control="no-cache")
    site.put("a.js", cache_control="max-age=60")
    for path in ("/private.html", "/private.html", "/a.js", "/a.js"):
        site.get(path)
    assert site.asked == ["private.html", "private.html", "a.js"]
    age(site, 61)
    assert site.get("/a.js").header("x-cache") == "RefreshHit from cloudfront"
    assert site.get("/a.js").header("x-cache") == "Hit from cloudfront"
    assert int(site.get("/a.js").header("age")) < 61, "counted from when it was found valid again"


def test_a_changed_object_replaces_the_stale_one(site):
    site.put("a.js", "one", cache_control="max-age=60")
    site.get("/a.js")
    site.put("a.js", "two", cache_control="max-age=60")
    assert site.get("/a.js").body == b"one"
    age(site, 61)
    assert site.get("/a.js").body == b"two"


def test_many_viewers_share_one_fetch(site):
    site.put("a.js")
    site.deploy()

    async def crowd():
        return await asyncio.gather(*(site.ask("/a.js") for _ in range(20)))

    assert [each.status for each in site.run(crowd())] == [200] * 20
    assert site.asked == ["a.js"]


def test_what_may_not_be_kept_is_asked_for_by_each(site):
    site.put("a.html", cache_control="no-store")
    site.deploy()

    async def crowd():
        return await asyncio.gather(*(site.ask("/a.html") for _ in range(5)))

    assert [each.status for each in site.run(crowd())] == [200] * 5
    assert len(site.asked) == 5


def test_missing_keys_are_403_and_not_kept_or_404_and_kept_for_ten_seconds(site):
    assert [site.get("/x").status for _ in range(2)] == [403, 403]
    assert len(site.asked) == 2
    statement = site.cloud.policies["bucket-a"]["Statement"][0]
    statement["Action"] = ["s3:GetObject", "s3:ListBucket"]
    site.server.pipeline._answers._origins._gates._known.clear()
    assert [site.get("/y").status for _ in range(2)] == [404, 404]
    assert site.asked[2:] == ["y"]
    site.put("y", "now")
    age(site, 11)
    assert site.get("/y").body == b"now"


def test_a_stale_answer_stands_in_for_a_failing_origin(site):
    site.put("a.js", "good", cache_control="max-age=60")
    site.put("b.js", "good", cache_control="max-age=60, stale-if-error=30")
    site.get("/a.js")
    site.get("/b.js")
    age(site, 100)
    site.server.edge.origin_faults["primary"] = 503
    assert site.get("/a.js").body == b"good"
    assert site.get("/b.js").status == 503
    before = site.counts()["origin_requests"]
    assert site.get("/a.js").body == b"good"
    assert site.counts()["origin_requests"] == before
    site.server.edge.origin_faults.clear()
    site.put("a.js", "better")
    age(site, 11)
    assert site.get("/a.js").body == b"better"


def test_stale_while_revalidate_answers_at_once(site):
    site.put("a.js", "one", cache_control="max-age=60, stale-while-revalidate=60")
    site.get("/a.js")
    site.put("a.js", "two", cache_control="max-age=60, stale-while-revalidate=60")
    age(site, 70)
    assert site.get("/a.js").body == b"one"
    until = time.monotonic() + 10
    while (body := site.get("/a.js").body) == b"one" and time.monotonic() < until:
        site.run(asyncio.sleep(0.01))
    assert body == b"two"


def test_variants_by_encoding_conditions_ranges_and_head(site):
    site.put("a.css", "a { b: c }\n" * 500, content_type="text/css")
    plain = site.get("/a.css")
    packed = site.get("/a.css", accept_encoding="gzip, br")
    assert packed.header("content-encoding") == "gzip"
    assert packed.header("x-cache") == "Miss from cloudfront"
    assert site.get("/a.css", accept_encoding="gzip").header("x-cache") == "Hit from cloudfront"
    assert site.get("/a.css", if_none_match=plain.header("etag")).status == 304
    assert site.get("/a.css", accept_encoding="gzip", if_none_match=packed.header("etag")).status == 304
    part = site.get("/a.css", range="bytes=0-3")
    assert (part.status, part.body) == (206, b"a { ")
    assert site.get("/a.css", method="HEAD").header("x-cache") == "Hit from cloudfront"
    assert len(site.asked) == 2


def test_invalidations_empty_every_location(site):
    site.put("a/x.js")
    site.put("b.js")
    for path in ("/a/x.js", "/b.js"):
        site.get(path)
    site.cloud.invalidated.append(Invalidation(id="I1", paths=("/a/*",)))
    site.refresh()
    site.refresh()
    assert site.get("/a/x.js").header("x-cache") == "Miss from cloudfront"
    assert site.get("/b.js").header("x-cache") == "Hit from cloudfront"
    site.refresh()
    assert site.get("/a/x.js").header("x-cache") == "Hit from cloudfront"


def test_other_methods_are_not_cached_or_not_allowed(site):
    site.put("a.js")
    assert site.get("/a.js", method="POST").status == 403
    site.behavior["AllowedMethods"] = {"Items": ["GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE"]}
    site.deploy()
    assert site.get("/a.js", method="POST").status == 405


# -- origins --------------------------------------------------------------------------------------------------------


def test_a_bucket_lets_in_this_distribution_only(site):
    site.put("a.js")
    site.cloud.policies["bucket-a"]["Statement"][0]["Condition"]["StringEquals"]["AWS:SourceArn"] += "X"
    assert site.get("/a.js").status == 403
    assert site.asked == []


def grouped(site):
    site.origins.append(site.bucket_origin("second", "bucket-b", "eu-west-1"))
    codes = {"Items": [403, 404, 500, 502, 503, 504]}
    members = {"Items": [{"OriginId": "primary"}, {"OriginId": "second"}]}
    site.groups.append({"Id": "both", "Members": members, "FailoverCriteria": {"StatusCodes": codes}})
    site.behavior["TargetOriginId"] = "both"


def test_the_second_origin_answers_when_the_first_fails_and_the_rewrite_runs_again(site):
    grouped(site)
    site.behavior["CachePolicyId"] = "keyed"
    site.on_request("function handler(e) { e.request.headers['x-build-id'] = {value: 'b1'}; return e.request; }")
    site.at_edge(REWRITE)
    site.put("builds/b1/a.js", "replica", bucket="bucket-b")
    assert site.get("/a.js").body == b"replica"
    assert site.cloud.asked == [("bucket-a", "builds/b1/a.js"), ("bucket-b", "builds/b1/a.js")]
    site.put("builds/b1/c.js", "replica", bucket="bucket-b")
    site.cloud.unreachable.add("bucket-a")
    assert site.get("/c.js").body == b"replica"
    assert site.trace.origin == "second"
    site.cloud.unreachable.add("bucket-b")
    assert site.get("/d.js").status == 502


@pytest.mark.parametrize("ids", ["['second', 'primary']", "[{originId: 'second'}, {originId: 'primary'}]"])
def test_a_function_chooses_the_nearest_replica(site, ids):
    grouped(site)
    site.on_request(f"""
        import cf from 'cloudfront';
        function handler(event) {{
          if (cf.edgeLocation.region === 'eu-west-1') {{
            cf.createRequestOriginGroup({{originIds: {ids}, failoverCriteria: {{statusCodes: [403, 503]}}}});
          }}
          return event.request;
        }}""")
    for bucket in ("bucket-a", "bucket-b"):
        site.put("a.js", bucket, bucket=bucket)
    assert site.get("/a.js", location="eu-west-1").body == b"bucket-b"
    assert site.get("/a.js", location="us-east-1").body == b"bucket-a"
    site.put("b.js", "a", bucket="bucket-a")
    assert site.get("/b.js", location="eu-west-1").body == b"a"


def test_a_selected_origin_takes_the_request(site):
    site.origins.append(site.bucket_origin("second", "bucket-b", "eu-west-1"))
    site.on_request(
        "import cf from 'cloudfront'; function handler(e) { cf.selectRequestOriginById('second'); return e.request; }"
    )
    site.put("a.js", "second", bucket="bucket-b")
    assert site.get("/a.js").body == b"second"


def test_lambda_may_answer_itself_and_may_not_do_what_cloudfront_refuses(site):
    site.at_edge(
        """
def handler(event, context):
    request = event["Records"][0]["cf"]["request"]
    kind = request["uri"][1:]
    if kind == "answer":
        return {"status": "200", "headers": {"x-a": [{"key": "X-A", "value": "1"}]}, "body": "made"}
    if kind == "header":
        request["headers"]["via"] = [{"key": "Via", "value": "me"}]
    if kind == "uri":
        request["uri"] = "relative"
    if kind == "domain":
        request["origin"]["s3"]["domainName"] = "bucket-b.s3.us-east-1.amazonaws.com"
    if kind == "fail":
        raise ValueError("boo")
    if kind == "none":
        return None
    return request
"""
    )
    answered = site.get("/answer")
    assert (answered.status, answered.body, answered.header("x-a")) == (200, b"made", "1")
    assert answered.header("x-cache") == "LambdaGeneratedResponse from cloudfront"
    assert site.get("/header").status == 502
    assert site.get("/uri").status == 502
    assert site.get("/none").status == 502
    assert site.get("/fail").status == 503
    assert site.get("/domain").status == 403  # the signature is for the other bucket
    assert site.asked == []


def test_origin_response_sees_and_changes_the_answer_before_it_is_kept(site):
    site.at_edge(
        """
def handler(event, context):
    response = event["Records"][0]["cf"]["response"]
    response["headers"]["x-status"] = [{"key": "X-Status", "value": response["status"]}]
    return response
""",
        event="origin-response",
    )
    site.put("a.js", "body")
    assert site.get("/a.js").header("x-status") == "200"
    again = site.get("/a.js")
    assert (again.header("x-status"), again.body) == ("200", b"body")


def test_custom_origins_get_the_policys_headers_and_the_origins_own(site):
    seen = []

    def answer(request):
        seen.append(request)
        return Response(200, {"content-type": ["text/plain"]}, b"ok")

    site.cloud.sites["api.example"] = answer
    headers = {"Items": [{"HeaderName": "X-Secret", "HeaderValue": "s"}]}
    site.origins.append(
        {
            "Id": "api",
            "DomainName": "api.example",
            "OriginPath": "/v1",
            "CustomOriginConfig": {},
            "CustomHeaders": headers,
        }
    )
    site.policy("off", ttl=(0, 0, 0))
    site.cloud.origin_request_policies["all"] = {"QueryStringsConfig": {"QueryStringBehavior": "all"}}
    site.further.append(
        {"PathPattern": "/api/*", "TargetOriginId": "api", "CachePolicyId": "off", "OriginRequestPolicyId": "all"}
    )
    assert [site.get("/api/a?x=1").body for _ in range(2)] == [b"ok", b"ok"]
    assert site.asked == ["/v1/api/a?x=1"] * 2
    assert seen[0].headers["x-secret"] == ["s"]
    assert seen[0].headers["x-forwarded-for"] == ["127.0.0.9"]
    assert "host" not in seen[0].headers


def test_a_function_url_needs_both_permissions(site):
    domain = "abc.lambda-url.us-east-1.on.aws"
    arn = "arn:aws:lambda:us-east-1:111122223333:function:beacon"
    site.cloud.sites[domain] = lambda _: Response(204)
    site.origins.append({"Id": "url", "DomainName": domain, "CustomOriginConfig": {}, "OriginAccessControlId": "OAC2"})
    site.policy("off", ttl=(0, 0, 0))
    site.further.append({"PathPattern": "/beacon", "TargetOriginId": "url", "CachePolicyId": "off"})

    def allow(*actions):
        statement = {
            "Effect": "Allow",
            "Principal": {"Service": "cloudfront.amazonaws.com"},
            "Action": list(actions),
            "Resource": arn,
            "Condition": {"ArnLike": {"AWS:SourceArn": "arn:aws:cloudfront::111122223333:distribution/E1"}},
        }
        site.cloud.function_urls[domain] = FunctionUrlRecord(
            function_arn=arn, auth_type="AWS_IAM", policy={"Statement": statement}
        )
        if site.server is not None:
            site.server.pipeline._answers._origins._gates._known.clear()

    allow("lambda:InvokeFunctionUrl")
    assert site.get("/beacon").status == 403
    allow("lambda:InvokeFunctionUrl", "lambda:InvokeFunction")
    assert site.get("/beacon").status == 204
    del site.origins[-1]["OriginAccessControlId"]
    site.deploy()
    assert site.get("/beacon").status == 403


# -- distribution ---------------------------------------------------------------------------------------------------


def test_error_pages_bypass_the_viewer_request_function(site):
    site.errors.append({"ErrorCode": 403, "ResponsePagePath": "/index.html", "ResponseCode": "200"})
    site.on_request("function handler(e) { e.request.headers['x-build-id'] = {value: 'b1'}; return e.request; }")
    site.put("index.html", "page", content_type="text/html")
    found = site.get("/deep/link")
    assert (found.status, found.body) == (200, b"page")
    assert found.header("x-cache") == "Error from cloudfront"


def test_the_root_object(site):
    site.root = "index.html"
    site.put("index.html", "root")
    assert site.get("/").body == b"root"


def test_response_headers_policies(site):
    site.behavior["ResponseHeadersPolicyId"] = "secure"
    site.cloud.response_headers_policies["secure"] = {
        "SecurityHeadersConfig": {
            "ContentTypeOptions": {"Override": True},
            "FrameOptions": {"FrameOption": "DENY", "Override": False},
        },
        "CustomHeadersConfig": {"Items": [{"Header": "X-Own", "Value": "1", "Override": True}]},
        "RemoveHeadersConfig": {"Items": [{"Header": "X-Powered-By"}]},
        "CorsConfig": {"AccessControlAllowOrigins": {"Items": ["*"]}, "OriginOverride": True},
    }
    site.put("a.js", x_frame_options="SAMEORIGIN", x_powered_by="tests")
    found = site.get("/a.js", origin="http://other.localhost")
    assert found.header("x-content-type-options") == "nosniff"
    assert found.header("x-frame-options") == "SAMEORIGIN"
    assert found.header("x-own") == "1"
    assert found.header("x-powered-by") is None
    assert found.header("access-control-allow-origin") == "*"
    assert site.get("/a.js").header("access-control-allow-origin") is None


def test_a_deployment_is_picked_up_and_a_broken_one_is_told_and_ignored(site):
    site.on_request("function handler() { return {statusCode: 201}; }")
    assert site.get("/").status == 201
    site.on_request("function handler() { return {statusCode: 202}; }")
    site.deploy()
    assert site.get("/").status == 202
    site.on_request("function handler( {")
    site.deploy()
    assert "does not parse" in site.server.edge.problem
    assert site.get("/").status == 202
    site.on_request("function handler() { return {statusCode: 203}; }")
    site.deploy()
    assert site.server.edge.problem == ""
    assert site.get("/").status == 203


def test_a_new_version_of_the_lambda_replaces_the_old_one(site):
    site.at_edge('def handler(event, context): return {"status": "201"}')
    assert site.get("/a").status == 201
    arn = "arn:aws:lambda:us-east-1:111122223333:function:origin:2"
    site.at_edge('def handler(event, context): return {"status": "202"}', arn=arn)
    site.deploy()
    assert site.get("/b").status == 202
    assert list(site.server.edge.loaded.lambdas) == [arn]


def test_before_there_is_a_distribution(site):
    site.deploy()
    site.server.edge.loaded = None
    site.cloud.distributions.clear()
    site.refresh()
    found = site.get("/")
    assert found.status == 503
    assert b"no distribution yet" in found.body


def test_a_store_that_cannot_be_read_rejects_in_one_location_only(site):
    site.cloud.put_store(STORE_ARN, routing='{"stable": "b1"}')
    site.on_request(ROUTER)
    site.put("a.js")
    site.deploy()
    site.server.edge.locations["eu-west-1"].store(STORE_ARN).fault = "unreadable"
    assert site.get("/a.js", location="eu-west-1").status == 503
    assert site.get("/a.js", location="us-east-1").status == 200
