"""The same network under Lightning, and Lightning's command line."""
