"""The sealed bundle as others meet it: one file that proves it, exit codes, and what it must never tell."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from core.communityfile import load
from core.time import Month
from core.units import decimal_text
from settlement import readingsfile, statement
from settlement.charges import Charge, lines
from settlement.evidence import Behind
from settlement.ledger import book_month
from settlement.seal.archive import pack, unpack
from settlement.seal.bundle import COMMON, SUN, resident_bundle, seal, seal_correction
from settlement.seal.commitments import canonical
from settlement.seal.verify import Damaged, verify
from tests.support.sealhouse import (
    AT,
    SYNTHETIC,
    House,
    flipped,
    leaves_of,
    resealed,
    salt,
    sealed_house,
    synthetic,
    wrong,
)


@pytest.fixture(scope="module")
def house() -> House:
    return synthetic()


def command(*arguments: object) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "wijkenergie", "verify", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def alone(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Run the bundle's own program: no packages, no environment, nothing else in the folder."""
    line = [sys.executable, "-I", "-S", "verify.py", *map(str, arguments)]
    return subprocess.run(line, capture_output=True, text=True, check=False, cwd=folder, env={})


def test_the_bundle_s_own_program_needs_nothing_else(house: House, tmp_path: Path) -> None:
    (tmp_path / "verify.py").write_bytes(house.sealed.files["verify.py"])
    (tmp_path / "month.zip").write_bytes(house.sealed.bundle)
    (tmp_path / "sun.json").write_bytes(house.sealed.openings[SUN])
    well = alone(tmp_path, "month.zip", "--opening", "sun.json", "--seal", house.sealed.sha256)
    assert (well.returncode, well.stderr) == (0, "")
    assert "proved       The sun of every interval is what was sealed, and comes to the totals.\n" in well.stdout
    assert well.stdout.endswith("Nothing is wrong with this bundle.\n")
    assert alone(tmp_path, "month.zip", "--seal", "0" * 64).returncode == 1
    missing = alone(tmp_path, "other.zip")
    assert (missing.returncode, missing.stdout) == (2, "")
    assert missing.stderr == "other.zip: it cannot be read: No such file or directory.\n"


def test_the_program_knows_nothing_of_the_settlement(house: House) -> None:
    text = house.sealed.files["verify.py"].decode()
    imported = set(re.findall(r"^\s*(?:from|import) (\w+)", text, re.MULTILINE))
    assert imported <= sys.stdlib_module_names


def test_the_command_says_well_no_and_bad(house: House, tmp_path: Path) -> None:
    bundle = tmp_path / "month.zip"
    bundle.write_bytes(house.sealed.bundle)
    well = command(bundle, "--json")
    assert well.returncode == 0
    assert json.loads(well.stdout)["wrong"] == []
    bundle.write_bytes(pack({**house.sealed.files, "postings.json": b"[]\n"}))
    no = command(bundle)
    assert no.returncode == 1
    assert "postings.json was changed after it was sealed." in no.stdout
    bundle.write_bytes(b"nothing of the kind")
    bad = command(bundle)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr == "month.zip: this is no ZIP archive, or it is damaged; fetch it once more.\n"


def test_the_same_month_gives_the_same_bytes(house: House) -> None:
    again = synthetic().sealed
    assert again.bundle == house.sealed.bundle
    assert again.openings == house.sealed.openings


def test_a_chain(house: House) -> None:
    known = readingsfile.read(SYNTHETIC / "readings.csv", house.settled.community)
    file = load(SYNTHETIC / "community.yaml")
    second = sealed_house(file, Month(2026, 1), known, previous=house.sealed.sha256).sealed
    assert wrong(second.bundle, previous=house.sealed.bundle) == []
    assert wrong(second.bundle, previous=house.sealed.sha256) == []
    assert any("follows the seal" in text for text in wrong(second.bundle, previous=second.sha256))
    assert any("first of its community" in text for text in wrong(house.sealed.bundle, previous=second.sha256))
    assert any("was not checked; give the bundle before" in text for text in verify(second.bundle).unchecked)


def correction() -> dict[str, Any]:
    """Two parties change by a euro, in opposite directions; written as corrections are."""

    def three(was: int, now: int) -> dict[str, str]:
        return {
            name: decimal_text(value, 2)
            for name, value in (("original", was), ("recomputed", now), ("difference", now - was))
        }

    def entry(party: str, change: int) -> dict[str, Any]:
        parts = {
            name: {"net_eur": decimal_text(value, 2), "vat_eur": "0.00", "amount_eur": decimal_text(value, 2)}
            for name, value in (("original", 1000), ("recomputed", 1000 + change), ("difference", change))
        }
        return {
            "party": party,
            "lines": [{"code": "solar", **parts}],
            "total_eur": three(2000, 2000 + change),
            "advance_eur": three(500, 500),
            "balance_eur": three(1500, 1500 + change),
            "due_eur": decimal_text(change, 2),
        }

    return {
        "community": "linde",
        "month": "2026-01",
        "revision": 2,
        "statements": [entry("h-001", 100), entry("h-002", -100)],
        "pools": [{"code": "solar", "amount_eur": three(5000, 5000)}],
        "postings": [
            {"transaction": 1, "account": "party:h-001:A01", "eur": "1.00", "what": "solar"},
            {"transaction": 1, "account": "party:h-002:A02", "eur": "-1.00", "what": "solar"},
        ],
        "checks": [{"name": "ledger", "holds": True, "difference": "0.00"}],
    }


def test_a_correction_stands_in_the_chain(house: House) -> None:
    made = seal_correction(correction(), number="8", previous=house.sealed.sha256, at=AT, salts=salt)
    report = verify(made.bundle, previous=house.sealed.bundle)
    assert report.wrong == []
    assert "Its differences add up, line by line, party by party and in the postings." in report.proved
    other = {**made.files, "correction.json": statement.dump({**correction(), "revision": 3})}
    assert any("changed after it was sealed" in text for text in wrong(pack(other)))


def test_a_correction_that_does_not_add_up_is_found(house: House) -> None:
    """Every amount in it, changed by someone who seals anew."""
    amounts = [at for at, value in leaves_of(correction()) if isinstance(value, str) and re.search(r"\.\d\d$", value)]
    kept = [at for at in amounts if at[0] != "checks"]
    assert len(kept) == 43
    for at in kept:
        made = seal_correction(flipped(correction(), at), number="8", previous=None, at=AT, salts=salt)
        assert len(wrong(made.bundle)) == 1, at


def test_every_opening_proves_and_a_wrong_one_does_not(house: House) -> None:
    for label, opening in house.sealed.openings.items():
        report = verify(house.sealed.bundle, openings=[opening])
        assert report.wrong == []
        tree = json.loads(opening)
        column = next(tree["content"][name] for name in ("consumed_mwh", "sun_mwh") if name in tree["content"])
        place = next(place for place, value in enumerate(column) if value)
        column[place] += 1
        found = wrong(house.sealed.bundle, openings=[canonical(tree)])
        assert found == ["Not true: An opening is what was sealed. It is not what was sealed."], label


def test_destroying_openings_leaves_the_rest(house: House) -> None:
    label = house.settled.spells[0].label
    own = verify(resident_bundle(house.sealed.bundle, label, {}))
    assert own.wrong == []
    assert "Your intervals are not in this bundle, so your totals were not recomputed from them." in own.unchecked
    left = {name: one for name, one in house.sealed.openings.items() if name != label}
    report = verify(house.sealed.bundle, openings=list(left.values()))
    assert report.wrong == []
    assert any("1 of 7 are not here" in text for text in report.unchecked)


def test_the_corporation_s_bundle_has_no_intervals(house: House) -> None:
    """No list of numbers is as long as a day, and none of the values of an opening that stands in no total is there."""
    everything = b"\n".join(house.sealed.files.values())
    assert not re.search(rb"(?:\d+,){24}", everything)
    assert b"quarter" not in b"".join(content for name, content in house.sealed.files.items() if name != "verify.py")


def test_a_resident_s_bundle_tells_nothing_about_neighbours(house: House) -> None:
    mine = house.settled.spells[0]
    own = unpack(resident_bundle(house.sealed.bundle, mine.label, house.sealed.openings))
    assert set(own) == {"seal.json", "seal.sha256", "verify.py", "own.json", "proof.json", "opening.json", "sun.json"}
    told = b"\n".join(content for name, content in own.items() if name != "verify.py").decode()
    for spell in house.settled.spells:
        if spell.flat != mine.flat:
            assert spell.party not in told
            assert f'"{spell.flat}"' not in told
    # The exact quotient of a pool would tell the whole building's heat.
    total = sum(house.settled.energy.heat.values())
    factors = [charge["factor"] for charge in json.loads(own["own.json"])["charges"]]
    assert not any(str(part) in told for part in (total, Fraction(total, 10**6)))
    assert all(len(str(Fraction(factor).denominator)) <= 7 for factor in factors)


def test_a_path_tells_no_number_of_flats(house: House) -> None:
    """Three flats, and a tree as deep as for sixteen entries."""
    for label in set(house.sealed.openings) - {SUN, COMMON}:
        own = unpack(resident_bundle(house.sealed.bundle, label, {}))
        assert len(json.loads(own["proof.json"])["path"]) == 4


def test_hashes_that_residents_see_are_salted(house: House) -> None:
    """Else a neighbour's few unknown figures could be found by trying."""
    other = seal(
        house.settled, house.statement, house.selected, number="2026-7", previous=None, at=AT,
        salts=lambda name: salt(f"another {name}"),
    )  # fmt: skip
    mine, theirs = json.loads(house.sealed.files["seal.json"]), json.loads(other.files["seal.json"])
    assert {name for name in mine["files"] if mine["files"][name] == theirs["files"][name]} == {"verify.py"}
    assert not {house.statement["input_sha256"], house.statement["result_sha256"]} & set(map(str, mine.values()))
    with pytest.raises(ValueError, match="at least 16"):
        seal(house.settled, house.statement, house.selected, number="1", previous=None, at=AT, salts=str.encode)


def test_a_line_of_an_unknown_code_is_proved_from_its_own_basis(house: House) -> None:
    """One more kind of line needs no new program: basis x factor, rounding, VAT and sums are checked."""
    settled = house.settled
    basis = {spell: Fraction(spell.days) for spell in settled.spells}
    charge = Charge("lift", basis, Fraction(100, 7), settled.stretches[0].tariff.vat_percent.electricity)
    group = lines(charge, settled.community.community, str(settled.month), include_vat=True)
    charged = (*settled.charged, group)
    pairs = list(zip((*settled.charges, charge), charged, strict=True))
    behind = Behind(settled.community, settled.month, settled.slots, settled.heat, settled.pellets, None)
    ledger = book_month(settled.heat, settled.pellets, pairs, settled.advances, behind)
    more = replace(settled, charges=(*settled.charges, charge), charged=charged, ledger=ledger)
    document = statement.document(more, house.statement["input_sha256"], status="final")
    made = seal(more, document, house.selected, number="1", previous=None, at=AT, salts=salt)
    report = verify(made.bundle)
    assert report.wrong == []
    assert (
        "Line 'lift': amount proved from its own basis; where the basis comes from was not checked." in report.unchecked
    )
    own = verify(resident_bundle(made.bundle, settled.spells[0].label, made.openings))
    assert own.wrong == []


def test_a_rule_this_program_does_not_know_is_said(house: House) -> None:
    files = dict(house.sealed.files)
    tree = json.loads(files["community.json"])
    tree["tariffs"][0]["moonlight_percent"] = "5"
    report = verify(resealed(files, {"community.json": canonical(tree)}))
    assert report.wrong == []
    assert any("does not know its rule 'moonlight_percent'" in text for text in report.unchecked)


@pytest.mark.parametrize("name", ["seal.json", "statement.json", "totals.json", "salt.json"])
def test_json_that_is_none_is_said_in_a_sentence(house: House, name: str) -> None:
    for content in (b"{", b"[]\n", b"\xff", b"null\n", b'{"a":' * 2000):
        try:
            assert verify(pack({**house.sealed.files, name: content})).wrong
        except Damaged as reason:
            assert re.fullmatch(r"[^\n]+\.", str(reason))  # noqa: PT017 - either answer is right
