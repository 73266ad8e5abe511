"""Tests of the built documentation site. `tox -e site` runs them; without zensical no test is collected."""
