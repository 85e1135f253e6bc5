"""The gates: their programs, how these get into the containers, and how their reports are read.

Pure rules. The decision about a permit is in `migrations.permit_policy`.
"""
