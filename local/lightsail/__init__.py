"""An emulator of AWS Lightsail container services that runs containers as real processes.

It speaks the container-service API over HTTP as botocore does, so boto3 and the ``aws`` command
line work against it, and it is started as a program: ``python -m local.lightsail --help``.
"""
