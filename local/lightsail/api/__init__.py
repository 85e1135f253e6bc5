"""The HTTP API: protocol, permissions, checks of the input, and one method for each operation.

What an operation changes is in `local.lightsail.service`.
"""
