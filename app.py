"""The CDK app: one site, as the context in `cdk.json` and `cdk -c key=value` say it.

cdk deploy --all -c build=path/to/dist        release what the bundler wrote
cdk deploy --all -c build_id=8f3a1c90d2e4b567  release a build that exists already
"""

import json
from pathlib import Path

from bluegreen_cdn.constructs.app import main

if __name__ == "__main__":
    # Run without the CDK command, nobody else would read it.
    main(json.loads((Path(__file__).parent / "cdk.json").read_text())["context"])
