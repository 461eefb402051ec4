"""Which published code does what the papers say: `python -m tests.conformance` makes docs/conformance.md.

packages       the packages that are run, at pinned versions, each in an environment of its own
adapters/      a file for each, which calls its code by the contract's names
run            one adapter, run inside its environment
differs.json   what each function that differs does, in a sentence
reported.json  code that is on GitHub alone: what was seen or read there, and at which commit
page           docs/conformance.json as a page
"""
