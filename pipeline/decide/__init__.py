"""The decide lane: intake and alerts as processors on the engine, and the effects they ask for."""
