"""What weights in few bits keep: rounded as others round, and by the kit, at equal bytes."""
