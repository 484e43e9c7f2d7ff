"""One file a kind of receiver, each behind the contract of `base`."""
