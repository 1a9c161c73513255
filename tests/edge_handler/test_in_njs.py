"""The deployed function in njs, an engine closer to CloudFront's than the simulator's: the same answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.domain.routing import RoutingState, Visitor, cookie_to_set
from bluegreen_cdn.domain.tokens import TokenPurpose, sign_token, verify_token

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "routing.json").read_text())["vectors"]
SECRET = "5e" * 32
IMPORT = "import cf from 'cloudfront';\n"
CLOUDFRONT = """
let store;
const cf = {
  kvs: () => ({
    get: async (key) => { if (!store || !(key in store)) throw Error('KeyNotFound'); return store[key]; },
    exists: async (key) => key in store,
  }),
  logCustomData: () => undefined,
};
"""
MAIN = """
async function main() {
  for (let i = 0; i < CASES.length; i++) {
    store = CASES[i].store;
    const result = await handler(CASES[i].event);
    console.log(JSON.stringify(result));
  }
}
main();
"""


pytestmark = pytest.mark.skipif(shutil.which("njs") is None, reason="njs is not installed (Debian's package njs)")


def in_njs(code: str, cases: list[dict[str, Any]], folder: Path) -> list[Any]:
    script = folder / "cases.js"
    script.write_text(f"{code.replace(IMPORT, CLOUDFRONT)}\nconst CASES = {json.dumps(cases)};\n{MAIN}")
    done = subprocess.run(["njs", str(script)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_vectors_in_njs(edge: Any, tmp_path: Path) -> None:
    cases = []
    for vector in VECTORS:
        names = {"accept": "accept", "destination": "sec-fetch-dest", "encoding": "accept-encoding", "range": "range"}
        cookies = {"__Host-bg-visitor": vector.get("visitor"), "__Host-bg-build": vector.get("build")}
        event = edge.event(
            vector["uri"],
            headers={header: vector[name] for name, header in names.items() if vector.get(name)},
            cookies={name: value for name, value in cookies.items() if value},
        )
        store = None
        if vector["state"] is not None:
            epoch, stable, candidate, weight, holdout = vector["state"]
            state = RoutingState(epoch=epoch, stable=stable, candidate=candidate, weight=weight, holdout=holdout)
            store = {f"build/{build}": "{}" for build in vector.get("retained", ())} | {"routing": state.to_json()}
        cases.append({"event": event, "store": store})
    found = {name: in_njs(edge.code[name], cases, tmp_path) for name in ("viewer_request", "hashed_request")}
    for number, vector in enumerate(VECTORS):
        value = found["hashed_request" if "behaviour" in vector else "viewer_request"][number]
        answer = edge.answer_of(value)
        assert (answer[1] if answer[0] == "status" else [answer[1], answer[2]]) == vector["expect"], vector["why"]


def test_what_viewer_response_keeps_in_njs(edge: Any, tmp_path: Path) -> None:
    releasing = RoutingState(epoch=2, stable="b1", candidate="b2", weight=5000)
    store = {"secret": SECRET, "routing": releasing.to_json()}
    preview = sign_token(SECRET, "b2", purpose=TokenPurpose.PREVIEW, expires=2_000_000_000)
    answered = {
        "statusCode": 200,
        "headers": {"x-amz-meta-build-id": {"value": "b2"}, "content-type": {"value": "text/html"}},
        "cookies": {},
    }
    events = [
        edge.event("/", headers={"user-agent": "one"}),
        edge.event("/", query={"__bg_preview": preview}),
        edge.event("/", cookies={"__Host-bg-visitor": "2.0123456789abcdef", "__Host-bg-preview": preview[:-1] + "-"}),
    ]
    cases = [{"event": {**event, "response": answered}, "store": store} for event in events]
    first, previewed, known = in_njs(edge.code["viewer_response"], cases, tmp_path)
    expected = cookie_to_set(releasing, Visitor(ip="127.0.0.9", user_agent="one"), fresh_seed="")
    assert first["cookies"]["__Host-bg-visitor"]["value"] == expected
    token = first["headers"]["server-timing"]["value"].removeprefix('bluegreen;desc="').removesuffix('"')
    assert verify_token(SECRET, token, purpose=TokenPurpose.BEACON, now=1_700_000_000) == "b2"
    assert list(previewed["cookies"]) == ["__Host-bg-preview"]
    assert list(known["cookies"]) == ["__Host-bg-build"]
