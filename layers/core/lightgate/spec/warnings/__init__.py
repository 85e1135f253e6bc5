"""Warnings about valid specs that probably do not work: one function for each rule.

A rule that makes a spec wrong belongs in `spec.rules`.
"""
