"""CloudFront Functions in QuickJS."""

import hashlib
import hmac
from base64 import b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bluegreen_cdn.errors import LocalCloudError
from bluegreen_cdn.local.edge.functions.engine import Function, FunctionFailed, KeyValueStoreError, modules_to_requires

VALUES = {"text": "plain ü", "json": '{"a": [1]}', "broken": "{"}


def read(operation, store, key):
    if operation == "exists":
        return key in VALUES
    if operation == "count":
        return len(VALUES)
    if key not in VALUES:
        raise KeyValueStoreError(f"KeyNotFound: {key}")
    return VALUES[key]


def run(source: str, event=None, *, stores=1, **options):
    function = Function("under-test", source, **options)
    return function.run(event or {}, place={"region": "eu-west-1"}, stores=stores, read=read)


def value(body: str, event=None, head: str = "", **options):
    return run(f"{head}\nasync function handler(event) {{ {body} }}", event, **options).value


HASHING = """
import crypto from 'crypto';
function handler(event) {
  const data = Buffer.from(event.data, 'base64'), key = Buffer.from(event.key, 'base64');
  const half = data.length >> 1;
  return {
    hash: crypto.createHash(event.name).update(data.slice(0, half)).update(data.slice(half)).digest('hex'),
    hmac: crypto.createHmac(event.name, key).update(data).digest('hex'),
  };
}
"""
HASHER = Function("hashes", HASHING)


def base64(data: bytes) -> str:
    return b64encode(data).decode()


@settings(deadline=None)
@given(name=st.sampled_from(["md5", "sha1", "sha256"]), data=st.binary(max_size=300), key=st.binary(max_size=100))
def test_digests_are_those_of_the_standard_library(name, data, key):
    event = {"name": name, "data": base64(data), "key": base64(key)}
    found = HASHER.run(event, place={}, stores=0, read=read).value
    assert found["hash"] == hashlib.new(name, data).hexdigest()
    assert found["hmac"] == hmac.new(key, data, name).hexdigest()


ENCODER = Function(
    "encodings",
    """
function handler(event) {
  const bytes = Buffer.from(event.base64, 'base64');
  return {
    url: bytes.toString('base64url'), back: Buffer.from(bytes.toString('base64url'), 'base64url').toString('hex'),
    base64: bytes.toString('base64'), text: bytes.toString(), utf8: Buffer.from(event.text).toString('hex'),
    round: Buffer.from(event.text).toString(), atob: btoa(atob(event.base64)),
  };
}
""",
)


@settings(deadline=None)
@given(data=st.binary(max_size=60), text=st.text(max_size=20))
def test_encodings_are_those_of_python(data, text):
    event = {"base64": base64(data), "text": text}
    found = ENCODER.run(event, place={}, stores=0, read=read).value
    assert found["base64"] == found["atob"] == base64(data)
    assert found["url"] == base64(data).replace("+", "-").replace("/", "_").rstrip("=")
    assert found["back"] == data.hex()
    assert found["utf8"] == text.encode().hex()
    assert found["round"] == text
    try:
        assert found["text"] == data.decode()
    except UnicodeDecodeError:
        assert "\ufffd" in found["text"]


def test_the_store_answers_asynchronously_in_three_formats_and_rejects_what_is_missing():
    found = value(
        """
        const store = cf.kvs();
        const text = await store.get('text');
        const parsed = await store.get('json', {format: 'json'});
        const bytes = await store.get('text', {format: 'bytes'});
        let missing, broken;
        try { await store.get('other'); } catch (error) { missing = error.message; }
        try { await store.get('broken', {format: 'json'}); } catch (error) { broken = error.name; }
        return {text, parsed, bytes: bytes.toString('hex'), missing, broken,
                exists: await store.exists('text'), not: await store.exists('other'), count: await store.count()};
        """,
        head="import cf from 'cloudfront';",
    )
    assert found == {
        "text": "plain ü",
        "parsed": {"a": [1]},
        "bytes": "plain ü".encode().hex(),
        "missing": "KeyNotFound: other",
        "broken": "SyntaxError",
        "exists": True,
        "not": False,
        "count": 3,
    }


def test_a_function_without_a_store_cannot_open_one():
    with pytest.raises(FunctionFailed, match="no KeyValueStore"):
        value("return cf.kvs()", head="import cf from 'cloudfront';", stores=0)


def test_origin_edits_log_and_place_are_recorded():
    outcome = run(
        """
        import cf from 'cloudfront';
        function handler(event) {
          cf.selectRequestOriginById('b');
          cf.createRequestOriginGroup({originIds: ['a', 'b']});
          cf.updateRequestOrigin({domainName: 'x'});
          cf.logCustomData('one ');
          cf.logCustomData('two');
          console.log('seen', {a: 1});
          return cf.edgeLocation.region;
        }
        """
    )
    assert outcome.value == "eu-west-1"
    assert [edit["kind"] for edit in outcome.origin_edits] == ["select", "group", "update"]
    assert outcome.custom_data == "one two"
    assert outcome.log == ('seen {"a":1}',)


def test_custom_data_is_cut_at_cloudfronts_size():
    assert (
        len(run("import cf from 'cloudfront'; function handler() { cf.logCustomData('ü'.repeat(1000)); }").custom_data)
        == 400
    )


def test_nothing_is_remembered_between_requests():
    function = Function("counter", "let count = 0; function handler() { count += 1; return count; }")
    assert [function.run({}, place={}, stores=0, read=read).value for _ in range(3)] == [1, 1, 1]


def test_querystring():
    found = value(
        "return [querystring.parse('a=1&b=%20x&a=2&c'), querystring.stringify({a: [1, 'ü'], b: ''})];",
        head="import querystring from 'querystring';",
    )
    assert found == [{"a": ["1", "2"], "b": " x", "c": ""}, "a=1&a=%C3%BC&b="]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("throw new Error('boo')", "boo"),
        ("return undeclared", "undeclared"),
        ("undeclared = 1", "undeclared"),
        ("while (true) {}", "more than its time"),
        ("await Promise.resolve(); while (true) {}", "more than its time"),
        ("await require('cloudfront').kvs().get('text'); while (true) {}", "more than its time"),
        ("const all = []; while (true) all.push('x'.repeat(10000) + all.length)", "memory"),
        ("return (function f() { return f() + 1; })()", "stack overflow"),
        ("await new Promise(function () {})", "nothing settles"),
        ("const crypto = require('crypto'); crypto.createHash('sha999')", "sha999"),
        ("require('fs')", "fs"),
        ("throw 'text'", "text"),
    ],
)
def test_failures_are_told_and_the_next_request_works(body, said):
    function = Function("failing", f"async function handler(event) {{ if (event.good) return 7; {body} }}")
    with pytest.raises(FunctionFailed, match=said):
        function.run({}, place={}, stores=1, read=read)
    assert function.run({"good": True}, place={}, stores=0, read=read).value == 7


def test_code_that_cloudfront_would_refuse_is_refused():
    with pytest.raises(LocalCloudError, match="10240"):
        Function("large", "function handler() {}" + " " * 10_300)
    with pytest.raises(LocalCloudError, match="does not parse"):
        Function("broken", "function handler( {")
    with pytest.raises(FunctionFailed, match="handler"):
        run("const other = 1;")


def test_imports_become_requires_on_the_same_line():
    source = (
        "import cf from 'cloudfront';\nimport { createHash as h } from \"crypto\"\nimport * as q from'querystring';\n"
    )
    assert modules_to_requires(source).splitlines() == [
        "const cf = require('cloudfront');",
        "const { createHash : h } = require('crypto');",
        "const q = require('querystring');",
    ]
    joined = modules_to_requires("import a from'crypto';import b from'cloudfront';")
    assert joined == "const a = require('crypto');const b = require('cloudfront');"


def test_any_text_passes_through():
    event = {"odd": "\u2028</script>\x00\U0001f600"}
    assert value("return event.odd", event) == event["odd"]
