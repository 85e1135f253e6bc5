"""`make demo`: five releases of the example app on the local cloud, two of which fail.

The local cloud itself is in `local.cloud`.
"""
