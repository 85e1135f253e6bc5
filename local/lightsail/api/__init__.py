"""The HTTP API: protocol, permissions, checks of the input, and one method for each operation.

The effect of an operation belongs in `local.lightsail.service`.
"""
