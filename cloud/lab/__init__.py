"""The lab: coordinator and agents in one process, through the same code as a federation over a network."""
