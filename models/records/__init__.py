"""What a run leaves behind: its folder, log, checkpoints and manifest."""
