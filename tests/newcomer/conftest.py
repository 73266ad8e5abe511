"""`tox -e newcomer` sets FAULTMAVEN_NEWCOMER=1; without it nothing here is collected: it installs from a registry."""

import os

collect_ignore_glob = [] if os.environ.get("FAULTMAVEN_NEWCOMER") == "1" else ["test_*.py"]
