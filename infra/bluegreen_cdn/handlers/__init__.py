"""Entry points of the regional Lambda functions; thin."""

import importlib.util
import sys
from pathlib import Path

# The SDK signs calls to the KeyValueStore with awscrt, which the Lambda runtime does not bring along for certain, and
# builds are compressed with brotli, which it does not. The bundle carries both beside the package; a runtime that has
# them keeps its own. Looked for, not imported: that takes time.
_VENDOR = Path(__file__).resolve().parents[2] / "_vendor"
_LACKING = any(importlib.util.find_spec(name) is None for name in ("awscrt", "brotli"))
if _LACKING and _VENDOR.is_dir() and str(_VENDOR) not in sys.path:
    sys.path.append(str(_VENDOR))
