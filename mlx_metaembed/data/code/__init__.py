"""Source code as rows: what documents a function, what it is called, what changed it, and pieces to search in."""
