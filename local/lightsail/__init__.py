"""An emulator of AWS Lightsail container services that runs containers as real processes.

Started as a program: `python -m local.lightsail --help`. It knows nothing of Lightgate.
"""
