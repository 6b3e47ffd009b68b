"""A measuring program's two ends: its options, and its result as one JSON object on the last line of stdout."""

import argparse
import json


def settings(**defaults: object) -> argparse.Namespace:
    """The program's options, one a keyword: a default gives the type, a type says that the option is required."""
    parser = argparse.ArgumentParser()
    for name, default in defaults.items():
        required = isinstance(default, type)
        parser.add_argument(
            f"--{name.replace('_', '-')}",
            type=default if required else type(default),
            default=None if required else default,
            required=required,
        )
    return parser.parse_args()


def answer(**result: object) -> None:
    """The result, as the last line."""
    print(json.dumps(result), flush=True)
