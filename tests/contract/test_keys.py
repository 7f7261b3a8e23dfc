"""The keys that the community file knows and the classes that divide by them are the same."""

from __future__ import annotations

from typing import get_args

from core.keys import KEYS, KeyName
from settlement.sharing import CLASSES, Weighted


def test_every_key_of_the_file_is_a_class_and_the_other_way_round() -> None:
    assert set(get_args(KeyName)) == set(KEYS) == set(CLASSES)
    assert all(key.name == name for name, key in CLASSES.items())


def test_keys_that_ask_for_weights_divide_by_them() -> None:
    assert all(issubclass(CLASSES[name], Weighted) for name, needs in KEYS.items() if needs.weights)
