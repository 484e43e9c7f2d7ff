"""One file a source format; `agents.normalize.sniff` lists them in the order in which they are tried."""
