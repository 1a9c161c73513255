"""The simulator over HTTP: what goes over the wire, the admin port, the access log."""

import json

import aiohttp
import pytest


@pytest.fixture
def serve(site):
    """Start the servers and ask them."""

    def start():
        site.deploy()
        site.run(site.server.start())

    def ask(path, *, admin=False, method="GET", body=None, **headers):
        async def exchange():
            port = site.server.admin_port if admin else site.server.port
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            async with aiohttp.ClientSession(auto_decompress=False) as session:
                url = aiohttp.client.URL(f"http://127.0.0.1:{port}{path}", encoded=True)
                async with session.request(method, url, headers=named, json=body, allow_redirects=False) as answer:
                    return answer, await answer.read()

        return site.run(exchange())

    ask.start = start
    return ask


def test_bytes_headers_and_several_cookies_arrive(site, serve):
    site.on_response(
        """
        function handler(event) {
          event.response.cookies = {a: {value: '1', attributes: 'Path=/'}, b: {value: '2'}};
          event.response.headers['x-twice'] = {value: '1', multiValue: [{value: '1'}, {value: '2'}]};
          return event.response;
        }"""
    )
    site.put("ü x.txt", "text", content_type="text/plain")
    serve.start()
    answer, body = serve("/%C3%BC%20x.txt", host="shop.localhost")
    assert (answer.status, body) == (200, b"text")
    assert answer.headers.getall("set-cookie") == ["a=1; Path=/", "b=2"]
    assert answer.headers.getall("x-twice") == ["1", "2"]
    assert answer.headers["x-cache"] == "Miss from cloudfront"
    assert answer.headers["via"].endswith("(CloudFront)")
    assert answer.headers["content-type"] == "text/plain"
    assert "python" not in str(answer.headers).lower()


def test_head_and_bodyless_answers(site, serve):
    site.put("a.txt", "text", content_type="text/plain")
    serve.start()
    answer, body = serve("/a.txt", method="HEAD")
    assert (answer.status, answer.headers["content-length"], body) == (200, "4", b"")
    etag = answer.headers["etag"]
    answer, body = serve("/a.txt", if_none_match=etag)
    assert (answer.status, body, answer.headers["etag"]) == (304, b"", etag)
    assert "content-type" not in answer.headers


def test_the_function_sees_what_the_viewer_sent(site, serve):
    site.on_request(
        """
        function handler(event) {
          const request = event.request;
          const headers = request.headers;
          const own = Object.keys(headers).filter(function (name) { return name.startsWith('x-bluegreen-sim'); });
          const seen = [event.viewer.ip, request.uri, request.querystring, request.cookies, own, headers.host.value];
          return {statusCode: 200, body: JSON.stringify(seen)};
        }"""
    )
    serve.start()
    _, body = serve("/a%2Fb?x=%20&y", host="shop.localhost", cookie="c=1", x_bluegreen_sim_viewer_ip="127.9.9.9")
    assert json.loads(body) == [
        "127.9.9.9",
        "/a%2Fb",
        {"x": {"value": "%20"}, "y": {"value": ""}},
        {"c": {"value": "1"}},
        [],
        "shop.localhost",
    ]


def test_viewers_keep_their_location_and_may_choose_one(site, serve):
    site.on_request(
        "import cf from 'cloudfront'; function handler() { return {statusCode: 200, body: cf.edgeLocation.region}; }"
    )
    serve.start()
    seen = {ip: serve("/", x_bluegreen_sim_viewer_ip=ip)[1] for ip in (f"127.0.1.{n}" for n in range(20))}
    assert set(seen.values()) == {b"us-east-1", b"eu-west-1"}
    assert all(serve("/", x_bluegreen_sim_viewer_ip=ip)[1] == place for ip, place in seen.items())
    assert serve("/", x_bluegreen_sim_location="eu-west-1")[1] == b"eu-west-1"


def test_the_admin_port_tells_orders_faults_and_refuses_nonsense(site, serve):
    site.cloud.put_store("arn:aws:cloudfront::111122223333:key-value-store/bluegreen-shop", routing='{"epoch": 4}')
    reading = "async function handler(e) { await cf.kvs().get('routing'); return e.request; }"
    site.on_request(f"import cf from 'cloudfront'; {reading}")
    site.put("a.js")
    serve.start()
    for _ in range(3):
        serve("/a.js", x_bluegreen_sim_location="us-east-1")
    status = json.loads(serve("/_bluegreen_sim/status", admin=True)[1])
    here = status["locations"]["us-east-1"]
    assert (status["state"], status["distribution_id"], status["requests"]) == ("serving", "E1", 3)
    assert (here["epoch"], here["hits"], here["misses"], here["requests"]) == (4, 2, 1, 3)
    faults = "/_bluegreen_sim/faults"
    answer, _ = serve(faults, admin=True, method="POST", body={"kvs": "unreadable", "location": "us-east-1"})
    assert answer.status == 200
    assert serve("/a.js", x_bluegreen_sim_location="us-east-1")[0].status == 503
    assert serve("/a.js", x_bluegreen_sim_location="eu-west-1")[0].status == 200
    serve(faults, admin=True, method="POST", body={"kvs": "none"})
    serve(faults, admin=True, method="POST", body={"origin": "bucket-a", "fault": "unreachable"})
    assert serve("/new.js", x_bluegreen_sim_location="us-east-1")[0].status == 502
    for wrong in ({"kvs": "on fire"}, {"kvs": "none", "location": "mars"}, {"origin": "a", "fault": 200}, {}):
        assert serve(faults, admin=True, method="POST", body=wrong)[0].status == 400


def test_the_access_log_has_a_line_for_each_request(site, serve):
    noting = "function handler(e) { cf.logCustomData('build=b1'); console.log('hi'); return e.request; }"
    site.on_request(f"import cf from 'cloudfront'; {noting}")
    site.put("a.js")
    serve.start()
    for path in ("/a.js?x=1", "/a.js", "/b.js"):
        serve(path, x_bluegreen_sim_location="us-east-1")
    serve("/_bluegreen_sim/flush", admin=True, method="POST")
    lines = [json.loads(line) for line in (site.folder / "access.jsonl").read_text().splitlines()]
    assert [(line["uri"], line["query"], line["status"], line["result"]) for line in lines] == [
        ("/a.js", "x=1", 200, "Miss"),
        ("/a.js", "", 200, "Hit"),
        ("/b.js", "", 403, "Error"),
    ]
    assert {line["custom_data"] for line in lines} == {"build=b1"}
    assert lines[0]["function_log"] == ["hi"]


def test_a_fault_of_the_simulator_does_not_look_like_one_of_the_site(site, serve, monkeypatch):
    serve.start()

    async def broken(*_):
        raise RuntimeError("simulator bug")

    monkeypatch.setattr(site.server.pipeline, "handle", broken)
    answer, body = serve("/")
    assert answer.status == 500
    assert b"edge simulator: simulator bug" in body
    assert "x-cache" not in answer.headers
