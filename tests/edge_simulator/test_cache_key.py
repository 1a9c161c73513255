"""What distinguishes cached answers, and what origins get to see."""

from hypothesis import given
from hypothesis import strategies as st

from bluegreen_cdn.local.edge.cache_key import cache_key, normalized_accept_encoding, origin_request
from bluegreen_cdn.local.edge.messages import Request
from bluegreen_cdn.local.edge.policies import CachePolicy, OriginRequestPolicy, Selection


def some(*names):
    return Selection(kind="some", names=frozenset(names))


BY_BUILD = CachePolicy(headers=some("x-build-id"), gzip=True, brotli=True)
WORDS = st.text(st.sampled_from("abc"), min_size=1, max_size=3)


def request(uri="/a", **more):
    return Request("GET", uri, **more)


@given(first=WORDS, second=WORDS, noise=st.dictionaries(st.sampled_from(["accept", "user-agent", "cookie2"]), WORDS))
def test_the_key_follows_the_listed_header_and_nothing_else(first, second, noise):
    plain = request(headers={"x-build-id": [first]})
    noisy = request(headers={"x-build-id": [second], **{name: [value] for name, value in noise.items()}})
    noisy.cookies.append(("session", "1"))
    noisy.query.append(("q", "1"))
    assert (cache_key(plain, BY_BUILD) == cache_key(noisy, BY_BUILD)) is (first == second)


@given(pairs=st.lists(st.tuples(WORDS, WORDS), max_size=4), order=st.randoms())
def test_the_order_of_query_and_cookies_does_not_matter(pairs, order):
    policy = CachePolicy(query=Selection(kind="all"), cookies=Selection(kind="all"))
    shuffled = list(pairs)
    order.shuffle(shuffled)
    assert cache_key(request(query=pairs, cookies=pairs), policy) == cache_key(
        request(query=shuffled, cookies=shuffled), policy
    )


def test_head_shares_the_answer_of_get_and_options_does_not():
    keys = [cache_key(Request(method, "/a"), BY_BUILD) for method in ("GET", "HEAD", "OPTIONS")]
    assert keys[0] == keys[1] != keys[2]


def test_accept_encoding_is_normalised():
    assert normalized_accept_encoding("gzip, deflate, br;q=0.9", BY_BUILD) == "br,gzip"
    assert normalized_accept_encoding("gzip;q=0, br;q=0.0", BY_BUILD) == ""
    assert normalized_accept_encoding("GZIP", CachePolicy(gzip=True)) == "gzip"
    assert normalized_accept_encoding("br", CachePolicy(gzip=True)) == ""
    assert normalized_accept_encoding("gzip;q=nonsense", CachePolicy(gzip=True)) == "gzip"
    assert normalized_accept_encoding(None, BY_BUILD) == ""


def test_the_origin_sees_the_key_and_what_the_origin_request_policy_adds():
    sent = request(
        headers={name: ["v"] for name in ("host", "x-build-id", "x-bluegreen-role", "accept", "if-none-match", "te")},
        cookies=[("a", "1")],
        query=[("q", "1"), ("r", "2")],
    )
    seen = origin_request(sent, BY_BUILD, OriginRequestPolicy(headers=some("x-bluegreen-role"), query=some("q")))
    assert set(seen.headers) == {"x-build-id", "x-bluegreen-role", "user-agent"}
    assert seen.headers["user-agent"] == ["Amazon CloudFront"]
    assert (seen.cookies, seen.query) == ([], [("q", "1")])


def test_all_viewer_except_host_keeps_the_host_out():
    extra = OriginRequestPolicy(headers=Selection(kind="all_except", names=frozenset({"host"})))
    seen = origin_request(request(headers={"host": ["shop"], "accept": ["*/*"]}), CachePolicy(), extra)
    assert set(seen.headers) == {"accept", "user-agent"}
