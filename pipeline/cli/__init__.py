"""The command `fluxai`: a file for each subject."""
