"""Amounts and labels of many intervals at once: columns of 64-bit whole numbers that read like tuples.

An amount is a whole number from 0 on [mWh or millionths of a unit], or missing, which is -1 in the array and None to
whoever reads a single value. Columns never change once made. An amount that 64 bits might not hold (a register that
jumped by more than any meter can count) keeps its whole column in Python's integers, with the same operations: slower,
never wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar, cast, overload

import numpy as np
from numpy.typing import NDArray

Whole = NDArray[np.int64]
Codes = NDArray[np.uint8]
Mask = NDArray[np.bool_]

MISSING: Final = -1
FITS: Final = 2**62
"""Everything computed in 64 bits stays below this."""

Value = TypeVar("Value", bound=int | None)
Name = TypeVar("Name", bound=str | None)


class Amounts(Sequence[Value], Generic[Value]):
    """One amount per interval; ``Amounts[int]`` where none can be missing.

    Parameters
    ----------
    array
        Whole numbers from 0 on, -1 where one is missing; not to be written to any more.
    """

    __slots__ = ("array",)

    def __init__(self, array: Whole) -> None:
        self.array: Final = array.view()
        self.array.flags.writeable = False

    @classmethod
    def of(cls, values: Sequence[Value]) -> Amounts[Value]:
        """Make a column of single values; a column is given back as it is."""
        if isinstance(values, Amounts):
            return values
        whole = [MISSING if value is None else value for value in values]
        fits = max(whole, default=0) < FITS
        return cls(np.array(whole, dtype=np.int64 if fits else object))

    @classmethod
    def missing(cls, size: int) -> Amounts[Value]:
        """Make a column of nothing but missing amounts."""
        return cls(np.full(size, MISSING, dtype=np.int64))

    @property
    def known(self) -> Mask:
        """Where an amount is known."""
        return np.asarray(self.array >= 0, dtype=np.bool_)

    def total(self, first: int = 0, end: int | None = None) -> int:
        """Sum of the amounts that are known, exactly."""
        return total(self.array[first:end])

    def __len__(self) -> int:
        return len(self.array)

    @overload
    def __getitem__(self, index: int) -> Value: ...
    @overload
    def __getitem__(self, index: slice) -> Amounts[Value]: ...
    def __getitem__(self, index: int | slice) -> Value | Amounts[Value]:
        if isinstance(index, slice):
            return Amounts(self.array[index])
        value = int(self.array[index])
        return cast("Value", None if value < 0 else value)

    def __iter__(self) -> Iterator[Value]:
        values = self.array.tolist()
        return iter(cast("list[Value]", [None if value < 0 else value for value in values]))

    def __contains__(self, value: object) -> bool:
        if value is None:
            return bool((self.array < 0).any())
        return isinstance(value, int) and value >= 0 and bool((self.array == value).any())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Amounts):
            return np.array_equal(self.array, other.array)
        return isinstance(other, list | tuple) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Amounts({list(self)})"


class Labels(Sequence[Name], Generic[Name]):
    """One name per interval, as a small number each and a table of names.

    Parameters
    ----------
    codes
        Places in ``names``; not to be written to any more.
    names
        At most 256.
    """

    __slots__ = ("codes", "names")

    def __init__(self, codes: Codes, names: Sequence[Name]) -> None:
        self.codes: Final = codes.view()
        self.codes.flags.writeable = False
        self.names: Final = tuple(names)

    @classmethod
    def of(cls, values: Sequence[Name], names: Sequence[Name] = ()) -> Labels[Name]:
        """Make a column of single names, those not in ``names`` numbered behind them; a column is given back."""
        if isinstance(values, Labels):
            return values
        known = {name: code for code, name in enumerate(dict.fromkeys([*names, *values]))}
        return cls(np.array([known[value] for value in values], dtype=np.uint8), tuple(known))

    @classmethod
    def all_of(cls, name: Name, size: int, names: Sequence[Name] = ()) -> Labels[Name]:
        """Make a column that says the same throughout."""
        table = tuple(names) or (name,)
        return cls(np.full(size, table.index(name), dtype=np.uint8), table)

    def counts(self, first: int = 0, end: int | None = None) -> dict[Name, int]:
        """How often each name of the table stands in a span."""
        found = np.bincount(self.codes[first:end], minlength=len(self.names)).tolist()
        return dict(zip(self.names, found, strict=True))

    def are(self, name: object) -> Mask:
        """Where this name stands."""
        codes = [code for code, known in enumerate(self.names) if known == name]
        return self.codes == codes[0] if len(codes) == 1 else np.isin(self.codes, codes)

    def __len__(self) -> int:
        return len(self.codes)

    @overload
    def __getitem__(self, index: int) -> Name: ...
    @overload
    def __getitem__(self, index: slice) -> Labels[Name]: ...
    def __getitem__(self, index: int | slice) -> Name | Labels[Name]:
        if isinstance(index, slice):
            return Labels(self.codes[index], self.names)
        return self.names[int(self.codes[index])]

    def __iter__(self) -> Iterator[Name]:
        return iter([self.names[code] for code in self.codes.tolist()])

    def __contains__(self, name: object) -> bool:
        return self.count(name) > 0

    def count(self, value: object) -> int:
        """How often a name stands in the column."""
        return int(self.are(value).sum())

    def __eq__(self, other: object) -> bool:
        if isinstance(other, Labels) and self.names == other.names:
            return np.array_equal(self.codes, other.codes)
        return isinstance(other, list | tuple | Labels) and tuple(self) == tuple(other)

    def __hash__(self) -> int:
        return hash(tuple(self))

    def __repr__(self) -> str:
        return f"Labels({list(self)})"


class Table(Mapping[str, Amounts[Value]], Generic[Value]):
    """Columns of the same length by name, as the rows of one array.

    Parameters
    ----------
    names
        One for each row, each once.
    rows
        Names by intervals.
    """

    __slots__ = ("_places", "names", "rows")

    def __init__(self, names: Sequence[str], rows: Whole) -> None:
        self.names: Final = tuple(names)
        self.rows: Final = rows.view()
        self.rows.flags.writeable = False
        self._places = {name: place for place, name in enumerate(self.names)}

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Value]], size: int) -> Table[Value]:
        """Make a table of columns of ``size`` amounts; a table is given back as it is."""
        if isinstance(columns, Table):
            return columns
        arrays: list[NDArray[Any]] = [Amounts.of(values).array for values in columns.values()]
        whole = np.array(arrays) if arrays else np.empty((0, size), dtype=np.int64)
        return cls(tuple(columns), whole)

    def place(self, name: str) -> int:
        """Row of a name.

        Raises
        ------
        KeyError
            If there is none.
        """
        return self._places[name]

    def total(self) -> int:
        """Sum of everything that is known, exactly."""
        return sum(total(row) for row in self.rows)

    def by_interval(self) -> Whole:
        """Sum over all names, interval by interval, of what is known."""
        fits = self.rows.dtype == object or int(self.rows.max(initial=0)) * len(self.names) < FITS
        rows = self.rows if fits else self.rows.astype(object)
        return np.asarray(np.maximum(rows, 0).sum(axis=0))

    def __getitem__(self, name: str) -> Amounts[Value]:
        return Amounts(self.rows[self._places[name]])

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)

    def __contains__(self, name: object) -> bool:
        return name in self._places


def total(array: Whole) -> int:
    """Sum the amounts of an array that are not missing, exactly, whatever their size."""
    if not len(array):
        return 0
    known = np.maximum(array, 0)
    if array.dtype != object and int(known.max()) * len(array) < FITS:
        return int(known.sum())
    return sum(known.tolist())


def runs(mask: Mask) -> Iterable[tuple[int, int]]:
    """Stretches of neighbouring places that are set: first, and one past the last."""
    if not mask.any():
        return ()
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]]).astype(np.int8))).tolist()
    return zip(edges[::2], edges[1::2], strict=True)
