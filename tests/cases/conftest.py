"""The builders of the cases are scripts, not modules with doctests."""

collect_ignore_glob = ["models/*.py"]
