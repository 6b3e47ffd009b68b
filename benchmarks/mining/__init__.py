"""Mining's search on vectors drawn by chance: seconds, and bytes that the process held at most."""
