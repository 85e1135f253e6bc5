"""AWS on this machine: engine, gateway, database, deployed stack, and what AWS does around them.

The Lightsail emulator is a program of its own in `local.lightsail`; `cloud.py` starts it.
"""
