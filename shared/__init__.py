"""What both sides must agree on: a change here is a protocol change."""
