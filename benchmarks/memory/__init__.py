"""What runs hold beside what was planned, beside a peer, and whether long runs grow."""
