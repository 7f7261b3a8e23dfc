"""The description kept for a start without database: what was read last, or nothing."""

from __future__ import annotations

from collector.lastknown import recall, remember, remembered
from core.communityfile import parse
from tests.support.collecting import BASE

DEVICE = 'devices: [{id: h, profile: wmbusmeters.kamheat, link: "mqtt:w/h", feeds: {energy: heat-A01}}]\n'


def test_the_description_read_last_is_recalled_whole(tmp_path):
    folder = tmp_path / "small"
    folder.mkdir()
    assert recall(folder) is None
    assert remembered(tmp_path) == []
    for text in (BASE, BASE + DEVICE):
        file = parse(text)
        remember(folder, file)
        back = recall(folder)
        assert back is not None
        assert back.community == file.community
    assert remembered(tmp_path) == ["small"]


def test_a_damaged_description_counts_as_none_and_is_replaced_by_the_next(tmp_path):
    for damaged in (b"", b"{", b"\xff\xfe", b"[]", b'{"community": "small"}'):
        (tmp_path / "community.json").write_bytes(damaged)
        assert recall(tmp_path) is None
    remember(tmp_path, parse(BASE))
    assert recall(tmp_path) is not None


def test_a_description_that_cannot_be_kept_costs_nothing_else(tmp_path):
    remember(tmp_path / "away", parse(BASE))
    assert recall(tmp_path / "away") is None
