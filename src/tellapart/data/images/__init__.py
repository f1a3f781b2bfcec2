"""Image files: finding, decoding and caching them, and finding those that look alike."""
