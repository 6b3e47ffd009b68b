"""A number within bounds, as an option's type: click's own lets NaN through, which no comparison refuses."""

import math

import click


class NumberRange(click.FloatRange):
    """As click.FloatRange, but NaN is a wrong value."""

    def convert(self, value: object, param: click.Parameter | None, context: click.Context | None) -> float:
        """The number. Raises BadParameter where it is none, or out of bounds."""
        number = super().convert(value, param, context)
        if math.isnan(number):
            self.fail(f"{value} is no number; expected one in the range {self._describe_range()}.", param, context)
        return number
