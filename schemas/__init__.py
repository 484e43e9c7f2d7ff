"""What travels on the bus: message models, the topic catalogue and golden examples. Imports nothing of ours."""
