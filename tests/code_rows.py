"""Source code to make rows of, and calls of `metaembed data code`."""

import json

from calls import call

PYTHON = '''class Shop:
    def total_price(self, rate):
        """Sum of all prices.

        Not this.
        """
        prices = [price * rate for price in self.prices]
        return sum(prices)
'''
FUNCTION = "def {0}(values):\n    found = [value + {1} for value in values]\n    return sorted(found)\n"


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def made(capsys, *words):
    status, out, err = call(capsys, "data", "code", *words, "--json")
    assert status == 0, err
    return json.loads(out), err


def refused(capsys, *words):
    status, out, err = call(capsys, "data", "code", *words)
    assert (status, out) == (2, ""), err
    return err
