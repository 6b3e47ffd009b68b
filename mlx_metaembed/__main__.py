"""`python -m mlx_metaembed` is `metaembed`."""

from mlx_metaembed.cli import main

main()
