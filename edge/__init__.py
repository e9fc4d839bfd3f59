"""The agent: trains on the device, and keeps the personal head there."""
