"""`python -m local.lightsail.measure`: measurements on a real account that yield switch values.

They call the API as any client does, and import nothing of the emulator.
"""
