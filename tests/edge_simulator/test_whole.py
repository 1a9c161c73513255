"""The simulator as a whole: functions, cache, Lambda@Edge and buckets together."""

import json

from bluegreen_cdn.local.edge.access_log import AccessLog

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
    request["uri"] = "/builds/" + request["headers"]["x-build-id"][0]["value"] + request["uri"]
    return request
"""


def test_a_release_reaches_viewers_through_the_store(site):
    site.cloud.put_store(STORE_ARN, routing=json.dumps({"stable": "b1", "epoch": 1}))
    site.on_request(ROUTER)
    site.on_response(STICKY)
    site.at_edge(REWRITE)
    site.put("builds/b1/index.html", "one", content_type="text/html", cache_control="no-cache")
    site.put("builds/b2/index.html", "two", content_type="text/html", cache_control="no-cache")
    site.policy("keyed", headers=["x-build-id"], ttl=(31_536_000, 31_536_000, 31_536_000))

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
    assert AccessLog  # the log is written by the front, see test_front
