"""The SQL record of a federation: what happened, and what a restart resumes from."""
