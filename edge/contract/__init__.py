"""The wire: topics, messages, model manifest and trait vocabulary.

The device upgrades slowest, so the device owns the contract and the fleet follows it. Nothing here imports anything but
pydantic and the standard library.
"""
