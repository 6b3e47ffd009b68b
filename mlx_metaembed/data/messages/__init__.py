"""Conversations as rows: messages from any store of them, their threads, and what is learned from those."""
