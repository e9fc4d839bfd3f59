"""The whole product on one machine: broker, coordinator and agents as separate processes."""
