"""Strong lottery tickets by construction: a random network pruned to approximate a given one."""
