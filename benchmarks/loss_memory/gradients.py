"""A loss and its gradients at all its arguments, on either engine."""

from collections.abc import Callable


def mlx_gradients(loss: Callable, columns: list) -> tuple:
    """The loss at the columns, and its gradients there."""
    import mlx.core as mx

    value, found = mx.value_and_grad(loss, argnums=tuple(range(len(columns))))(*columns)
    mx.eval(value, found)
    return value, found


def torch_gradients(loss: Callable, columns: list) -> tuple:
    """The loss at the columns, and its gradients there."""
    columns = [column.requires_grad_() for column in columns]
    value = loss(*columns)
    value.backward()
    return value, [column.grad for column in columns]


GRADIENTS = {"mlx": mlx_gradients, "torch": torch_gradients}
