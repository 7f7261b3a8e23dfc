"""Double entry: every line of every statement as postings that sum to zero, whole cents, debit positive.

Accounts: ``party:<party>[:<flat>]`` owes what it is charged; ``revenue:<code>`` and ``vat:<percent>`` receive it;
``cost:heat`` gathers what heat cost from ``stock:pellets`` and ``invoice:<number>``; ``advances`` holds what parties
pay in advance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from settlement.heat import HeatPool
from settlement.model import Line, Posting, Spell
from settlement.pellets import PelletMonth


@dataclass
class Ledger:
    """A list of postings that only grows, one balanced transaction at a time."""

    postings: list[Posting] = field(default_factory=list)

    def book(self, what: str, entries: Iterable[tuple[str, int]]) -> None:
        """Append one transaction; entries of zero cents are left out.

        Raises
        ------
        ValueError
            If the entries do not sum to zero.
        """
        rows = [(account, cents) for account, cents in entries if cents]
        if sum(cents for _, cents in rows):
            raise ValueError(f"'{what}' does not balance: {rows}")
        number = self.postings[-1].transaction + 1 if self.postings else 1
        self.postings += [Posting(number, account, cents, what) for account, cents in rows]


def party_account(spell: Spell) -> str:
    """Account of a party, of the flat it concerns where there is one."""
    return f"party:{spell.party}:{spell.flat}" if spell.flat else f"party:{spell.party}"


def book_month(
    heat: HeatPool | None,
    pellets: PelletMonth | None,
    charged: Sequence[Mapping[Spell, Line]],
    advances: Mapping[Spell, int],
) -> Ledger:
    """Book a month: what heat cost, what every party is charged, and the advances."""
    ledger = Ledger()
    if heat is not None:
        burnt = pellets.burnt_cents if pellets else 0
        ledger.book(
            "cost of heat",
            [
                ("cost:heat", heat.total),
                ("stock:pellets", -burnt),
                *((f"invoice:{number}", -amount) for number, amount in heat.invoices),
            ],
        )
    for group in charged:
        for spell, line in group.items():
            ledger.book(
                line.code,
                [
                    (party_account(spell), line.amount),
                    (f"revenue:{line.code}", -line.net),
                    (f"vat:{line.vat_percent}", -line.vat),
                ],
            )
    for spell, cents in advances.items():
        ledger.book("advance", [(party_account(spell), -cents), ("advances", cents)])
    return ledger
