from pathlib import Path


def resolve(model):
    return Path(model)
