"""How far a job is, and how long it takes, for people to read."""
