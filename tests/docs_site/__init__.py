"""The docs site as it is built. `tox -e site` runs this; without zensical nothing here is collected."""
