"""Faults on a loopback network, and the report of what they could not change."""
