"""Readers: one file a kind of source, imported when such a source is met."""
