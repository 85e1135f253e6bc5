"""Warnings of specs that are valid and cannot work: one small function for each rule."""
