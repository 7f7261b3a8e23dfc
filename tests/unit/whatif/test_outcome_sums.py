"""What a rule means for a building over several months is what it means in each, added up."""

from __future__ import annotations

from settlement.whatif.outcome import Outcome, Share, outcome
from tests.support.pricehouse import settled, tree


def test_months_add_up_for_every_party_and_for_the_building() -> None:
    first = Outcome({("F1", "h-F1"): Share(10, 4, 5, 6), ("F2", "h-F2"): Share(1, 1, 1, 1)}, 100, 60, 50, 40)
    second = Outcome({("F1", "h-F1"): Share(20, 8, 7, 9), ("F1", "n-F1"): Share(2, 2, 2, 2)}, 1000, 600, 500, 400)
    assert first + second == Outcome(
        {("F1", "h-F1"): Share(30, 12, 12, 15), ("F2", "h-F2"): Share(1, 1, 1, 1), ("F1", "n-F1"): Share(2, 2, 2, 2)},
        1100,
        660,
        550,
        440,
    )


def test_the_owner_uses_nothing_where_every_flat_is_lived_in() -> None:
    month = settled(tree(2), "2026-02")[0]
    found = outcome(month.community, month.month, month.stretches, month.spells, month.energy.sun)
    assert (found.parties["", "owner"].consumed, found.parties["", "owner"].shared) == (0, 0)
    assert found.consumed == sum(share.consumed for share in found.parties.values())
    assert found.shared + found.surplus == found.generated
