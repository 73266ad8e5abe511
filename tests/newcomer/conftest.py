"""Tests install from a registry, so they are collected only with FAULTMAVEN_NEWCOMER=1, as `tox -e newcomer` sets."""

import os

collect_ignore_glob = [] if os.environ.get("FAULTMAVEN_NEWCOMER") == "1" else ["test_*.py"]
