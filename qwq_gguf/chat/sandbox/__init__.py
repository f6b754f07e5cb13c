"""A Jinja in which a stranger's chat template can neither escape nor exhaust anything.

Jinja's own sandbox keeps a template from Python's internals, and leaves it time and
memory without end: `'a' * 10**9`, five nested loops, a list holding itself twice thirty
levels deep. Here every value a template makes is small and counted:

- `marked`: texts that remember which of their characters the template itself wrote
- `meter`: the limits, and what has been used of them
- `operators`, `methods`, `filters`: what a template may do, each bounded before it acts
- `rewrite`: a template's syntax tree changed so that all of it goes through these
- `environment`: the Jinja environment that ties them together
"""
