"""The restore point of a release: when it is taken, how long it is waited for, how it is restored.

Pure rules. The calls of RDS and Lightsail are in `aws`.
"""
