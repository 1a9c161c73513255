import sys
from pathlib import Path

# `invented` is a helper of these tests; with import-mode=importlib nothing else puts their folder on the path.
sys.path.insert(0, str(Path(__file__).parent))
