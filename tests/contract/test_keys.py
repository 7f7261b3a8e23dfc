"""The keys that the community file knows and the classes that divide by them are the same."""

from __future__ import annotations

from typing import get_args

import pytest

from core.community import Sharing
from core.keys import KEYS, KeyName
from settlement.sharing import CLASSES, Weighted, terms


def test_every_key_of_the_file_is_a_class_and_the_other_way_round() -> None:
    assert set(get_args(KeyName)) == set(KEYS) == set(CLASSES)
    assert all(key.name == name for name, key in CLASSES.items())


def test_keys_that_ask_for_weights_divide_by_them() -> None:
    assert all(issubclass(CLASSES[name], Weighted) for name, needs in KEYS.items() if needs.weights)


@pytest.mark.parametrize(
    ("key", "common", "decides"),
    [
        ("fixed", "first", {"weights"}),
        ("optimal", "participant", {"weights", "common_weight"}),
        ("hybrid", "never", {"weights"}),
        ("equal", "participant", set()),
        ("proportional", "last", set()),
        ("priority", "first", {"order"}),
    ],
)
def test_what_a_key_does_not_use_is_no_part_of_the_rule(key: KeyName, common: str, decides: set[str]) -> None:
    given = {"from": "2026-01-01", "key": key, "common": common, "weights": {"F1": "2"}, "order": ["F1"]}
    rule = Sharing.model_validate(given | {"common_weight": "3", "surplus": "owner"})
    assert set(terms(rule)) == {"key", "common", "surplus"} | decides
