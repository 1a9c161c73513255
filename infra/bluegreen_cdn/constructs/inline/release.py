# The release function. One published version of it is one build; CodeDeploy moves its alias, nobody calls it for its
# answer. Frozen: any change to this file would make a version that no build asked for.
import os


def handler(event: object, context: object) -> dict[str, str]:
    return {"build": os.environ["BUILD_ID"]}
