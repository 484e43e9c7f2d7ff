"""Who is told, in what words, and until when it is tried."""
