"""The exercises as they are handed out; `curriculum start` copies them into a folder of your own."""
