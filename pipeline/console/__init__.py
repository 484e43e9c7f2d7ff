"""What a person sees while Flux AI runs: a board of facts, shown live on a terminal or as plain lines."""
