"""One subset method a file; `xbar.subset.registry` lists them."""
