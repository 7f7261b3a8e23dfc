"""Double entry: every line of every statement as postings that sum to zero, whole cents, debit positive.

Accounts: ``party:<party>[:<flat>]`` owes what it is charged; ``revenue:<code>`` and ``vat:<percent>`` receive it;
``cost:heat`` gathers what heat cost from ``stock:pellets`` and ``invoice:<number>``; ``advances`` holds what parties
pay in advance. Credits for work stand on the parties' accounts alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from settlement.charges import Charge
from settlement.evidence import Behind
from settlement.heat import HeatPool
from settlement.model import Evidence, Line, Posting, Spell
from settlement.pellets import PelletMonth


@dataclass
class Ledger:
    """A list of postings that only grows, one balanced transaction at a time."""

    postings: list[Posting] = field(default_factory=list)

    def book(self, what: str, entries: Iterable[tuple[str, int, Evidence]]) -> None:
        """Append one transaction; entries of zero cents are left out.

        Parameters
        ----------
        what
            In a word.
        entries
            Account, cents (debit positive), and what is behind the posting.

        Raises
        ------
        ValueError
            If the entries do not sum to zero.
        """
        rows = [(account, cents, evidence) for account, cents, evidence in entries if cents]
        if sum(cents for _, cents, _ in rows):
            raise ValueError(f"'{what}' does not balance: {[(account, cents) for account, cents, _ in rows]}")
        last = self.postings[-1].transaction if self.postings else 0
        self.postings += [Posting(last + 1, account, cents, what, evidence) for account, cents, evidence in rows]


def party_account(spell: Spell) -> str:
    """Account of a party, of the flat it concerns where there is one."""
    return f"party:{spell.party}:{spell.flat}" if spell.flat else f"party:{spell.party}"


def book_month(
    heat: HeatPool | None,
    pellets: PelletMonth | None,
    charged: Sequence[tuple[Charge, Mapping[Spell, Line]]],
    advances: Mapping[Spell, int],
    behind: Behind,
) -> Ledger:
    """Book a month: what heat cost, what every party is charged, and the advances.

    Credits for work are one transaction between the parties, without revenue or VAT.
    """
    ledger = Ledger()
    if heat is not None:
        burnt = pellets.burnt_cents if pellets else 0
        evidence = behind.cost_of_heat()
        ledger.book(
            "cost of heat",
            [
                ("cost:heat", heat.total, evidence),
                ("stock:pellets", -burnt, evidence),
                *((f"invoice:{number}", -amount, evidence) for number, amount in heat.invoices),
            ],
        )
    work: list[tuple[str, int, Evidence]] = []
    for charge, group in charged:
        for spell, line in group.items():
            evidence = behind.line(charge, spell)
            party = (party_account(spell), line.amount, evidence)
            if charge.code == "work":
                work.append(party)
                continue
            ledger.book(
                line.code,
                [
                    party,
                    (f"revenue:{line.code}", -line.net, evidence),
                    (f"vat:{line.vat_percent}", -line.vat, evidence),
                ],
            )
    ledger.book("work", work)
    for spell, cents in advances.items():
        evidence = behind.advance(spell)
        ledger.book("advance", [(party_account(spell), -cents, evidence), ("advances", cents, evidence)])
    return ledger
