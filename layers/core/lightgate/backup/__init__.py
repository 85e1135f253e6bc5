"""The restore point of a release: when it is taken, how long to wait for it, how to restore it.

Pure rules. The calls of RDS and Lightsail are in `aws`.
"""
