"""The messages that people and machines get: their facts, their words and their formats.

How a release ended is decided in `outcome`; sending is done by `aws.sns` and the state machine.
"""
