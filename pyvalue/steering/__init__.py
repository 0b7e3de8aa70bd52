"""From a value graph and a target to a steering plan."""
