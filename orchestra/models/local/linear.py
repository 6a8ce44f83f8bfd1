"""The matrix products of the network: siblings fused, and every row through its own adapter.

A row's result does not depend on the other rows, nor on their adapters; `row_invariant` checks what that rests on.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn

from orchestra.models.local.lora import Place
from orchestra.models.local.matmul import at_least_two, packed
from orchestra.models.local.mixing import Routes

FUSED = (("q_proj", "k_proj", "v_proj"), ("gate_proj", "up_proj"))
"""Projections of one input, under the names that llama-like models give them."""


class Product:
    """Sibling linears over one input as one matrix product, plus the low-rank update of each row's adapter."""

    def __init__(self, names: Sequence[str], linears: Sequence[nn.Linear], routes: Routes) -> None:
        self.place = Place(tuple(names), linears[0].in_features, tuple(linear.out_features for linear in linears))
        weight = torch.cat([linear.weight.detach() for linear in linears])
        bias = torch.cat([linear.bias.detach() for linear in linears]) if _biased(linears[0]) else None
        self.multiply = packed(weight, bias)
        self.routes = routes
        self._input: Tensor | None = None
        self._outputs: tuple[Tensor, ...] = ()

    def __call__(self, x: Tensor) -> Tensor:
        return self.routes.updated(self.place.names[0], x, at_least_two(self.multiply, x))

    def part(self, x: Tensor, index: int) -> Tensor:
        """Output of one sibling. The first that is asked computes all, the last lets go of them."""
        if self._input is not x:
            self._input, self._outputs = x, self(x).split(self.place.widths, -1)  # type: ignore[no-untyped-call]
        out = self._outputs[index]
        if index == len(self.place.widths) - 1:
            self._input, self._outputs = None, ()
        return out


class Part(nn.Module):
    """Stands in the network where one of the linears of a product stood."""

    def __init__(self, product: Product, index: int) -> None:
        super().__init__()
        self.product, self.index = product, index

    def forward(self, x: Tensor) -> Tensor:
        return self.product.part(x, self.index)


def replace_linears(model: nn.Module, routes: Routes) -> list[Product]:
    """Puts a `Part` in the place of every linear but the head; the original weights are freed."""
    products = []
    for path, parent in list(model.named_modules()):
        for names in sibling_linears(parent):
            full = [f"{path}.{name}" if path else name for name in names]
            product = Product(full, [getattr(parent, name) for name in names], routes)
            for index, name in enumerate(names):
                setattr(parent, name, Part(product, index))
            products.append(product)
    return products


def _biased(linear: nn.Linear) -> bool:
    return linear._parameters["bias"] is not None


def sibling_linears(parent: nn.Module) -> Iterable[tuple[str, ...]]:
    """The linears right below `parent`: those that read one input together, every other alone. The head is left out."""
    linears = {name: child for name, child in parent.named_children() if isinstance(child, nn.Linear)}
    linears.pop("lm_head", None)
    for names in FUSED:
        biased = {_biased(linears[name]) for name in names if name in linears}
        if linears.keys() >= set(names) and len(biased) == 1:
            yield names
            for name in names:
                del linears[name]
    for name in linears:
        yield (name,)


@torch.inference_mode()
def row_invariant(products: Iterable[Product]) -> bool:
    """Whether each shape of product gives a row the same bits among 2, 3, 8 and 33 rows, first and last, on this
    machine."""
    shapes = {(product.place.inputs, sum(product.place.widths)): product for product in products}
    for (inputs, _), product in shapes.items():
        x = torch.randn(33, inputs, generator=torch.Generator().manual_seed(0)).to(torch.bfloat16)
        alone = product.multiply(x[:2])
        for rows in (3, 8, 33):
            first, last = product.multiply(x[:rows])[:2], product.multiply(x[:rows].roll(-2, 0))[-2:]
            if not (torch.equal(first, alone) and torch.equal(last, alone)):
                return False
    return True
