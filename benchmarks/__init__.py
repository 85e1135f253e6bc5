"""Measures what the gate costs on this machine."""
