"""`python -m local.lightsail.measure`: experiments on a real account that yield switch values.

It talks to the API as any client does, and imports nothing of the emulator.
"""
