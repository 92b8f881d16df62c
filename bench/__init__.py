"""Benchmarks anyone can rerun: `make bench`. Each prints its figure next to a floor measured in the same run."""
