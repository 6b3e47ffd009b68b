"""The fuzzer: real folders and files, each changed by chance, given to the command line in a child with limits.

`python -m fuzz --tries 10000 --seed 0`, from the folder `tests`. Try N of a seed is always the same try.
"""
