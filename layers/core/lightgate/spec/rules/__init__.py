"""The rules of an app spec that are about several of its parts at once.

What concerns one key alone is in `spec.keys`; what is valid and may still not work, in
`spec.warnings`.
"""
