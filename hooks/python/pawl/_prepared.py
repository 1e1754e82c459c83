"""Tensors as one call of the library takes them, from step to step.

Between two steps all of our code has left the caches, and looking at a tensor from a line of Python costs microseconds.
As a rule nothing but the addresses has changed since the last step that captured: that is checked, and the addresses
are renewed, by functions that map() calls.
"""

import array
import operator

import torch

from ._tensors import on_host, type_code_in_place

_layout_of = operator.attrgetter("is_cpu", "layout", "dtype")


class Prepared:
    """The tensors of one kind that one optimiser updates. Holds none of them."""

    __slots__ = ("_names", "_types", "_layouts", "_counts", "_words")

    def __init__(self):
        self._names = self._words = None

    def words(self, names, tensors, series_of):
        """(words for Capture.tensors, a list for Capture.strided_tensors, what has to live until both were read).
        `series_of`: name, type code, tensor -> id of the series."""
        if self._is_as_before(names, tensors):
            self._words[0::3] = array.array("Q", map(torch.Tensor.data_ptr, tensors))
            return self._words, None, None
        self._names = None
        words, strided, copies = array.array("Q"), [], []
        for name, tensor in zip(names, tensors):
            values, code = tensor, type_code_in_place(tensor)
            if code is None:
                host = on_host(tensor)
                if host is None:
                    continue
                values, code = host
                copies.append(values)
            series = series_of(name, code, tensor)
            if values is tensor or values.is_contiguous():
                words.extend((values.data_ptr(), values.numel(), series | code << 32))
            else:
                strided.append((values.data_ptr(), series, code, values.shape, values.stride()))
        if not copies and len(words) == 3 * len(names):
            self._remember(names, tensors, words)
        return words, strided, copies

    def _is_as_before(self, names, tensors):
        return (self._names == names and self._types == list(map(type, tensors))
                and self._layouts == list(map(_layout_of, tensors))
                and self._counts == list(map(torch.Tensor.numel, tensors))
                and all(map(torch.Tensor.is_contiguous, tensors)))

    def _remember(self, names, tensors, words):
        self._names, self._words = names, words
        self._types = list(map(type, tensors))
        self._layouts, self._counts = list(map(_layout_of, tensors)), list(map(torch.Tensor.numel, tensors))
