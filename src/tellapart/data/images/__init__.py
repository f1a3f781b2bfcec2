"""Image files: finding, decoding and caching them, and finding near duplicates."""
