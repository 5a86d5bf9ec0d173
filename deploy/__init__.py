"""Deploys releases of claimdrift without downtime, and takes back those that are no good.

The standard library alone, and never the release's own copy: it must run before and after any
release, and judge it. docs/deployment.md is its manual.
"""
