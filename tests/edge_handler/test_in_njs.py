"""The deployed function in njs, an engine closer to CloudFront's than the simulator's: the same answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from bluegreen_cdn.domain.routing import RoutingState

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "routing.json").read_text())["vectors"]
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


@pytest.mark.skipif(shutil.which("njs") is None, reason="njs is not installed (Debian's package njs)")
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
    code = edge.code["viewer_request"].replace("import cf from 'cloudfront';\n", CLOUDFRONT)
    script = tmp_path / "vectors.js"
    script.write_text(f"{code}\nconst CASES = {json.dumps(cases)};\n{MAIN}")
    done = subprocess.run(["njs", str(script)], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    for vector, value in zip(VECTORS, done.stdout.splitlines(), strict=True):
        answer = edge.answer_of(json.loads(value))
        assert (answer[1] if answer[0] == "status" else [answer[1], answer[2]]) == vector["expect"], vector["why"]
