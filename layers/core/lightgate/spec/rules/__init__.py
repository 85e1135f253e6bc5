"""The rules of an app spec that are about several of its parts at once.

Rules for one key alone are in `spec.keys`. Warnings about valid specs are in `spec.warnings`.
"""
