"""The act lane: tells receivers, once for each delivery asked for, and reports back with a receipt."""
