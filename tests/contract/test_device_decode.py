"""Every profile decodes its recorded data to exactly what is written down beside it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from collector.catalogue import FOLDER, load, published
from collector.commands import decode_file, list_profiles, show
from collector.profile import Profile
from core.errors import BadInput

FIXTURES = sorted((FOLDER / "fixtures").glob("*.json"))


def profile_of(fixture: Path) -> str:
    return ".".join(fixture.name.split(".")[:2])


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_a_fixture_decodes_to_what_it_expects(fixture: Path) -> None:
    lines = decode_file(profile_of(fixture), fixture)
    expected = json.loads(fixture.read_text(encoding="utf-8"))["expect"]
    assert [line for line in lines if "refused" not in line] == expected["readings"]
    assert [line for line in lines if "refused" in line] == expected["refusals"]


@pytest.mark.parametrize("name", published())
def test_every_profile_has_a_fixture_that_gives_each_of_its_points_a_value(name: str) -> None:
    seen = {
        line["point"]
        for fixture in FIXTURES
        if profile_of(fixture) == name
        for line in json.loads(fixture.read_text(encoding="utf-8"))["expect"]["readings"]
    }
    assert seen == {point.id for point in load(name).points if not point.internal}


@pytest.mark.parametrize("name", published())
def test_every_profile_says_where_it_comes_from_and_warns_in_both_languages(name: str) -> None:
    profile = load(name)
    assert profile.provenance
    assert len(profile.caveats.en) == len(profile.caveats.nl) > 0


@pytest.mark.parametrize("name", published())
def test_every_profile_says_in_words_where_each_of_its_points_is_found(name: str) -> None:
    told = [line for line in show(name) if line.startswith("point ")]
    points = [point for point in load(name).points if not point.internal]
    assert len(told) == len(points)
    assert [line.endswith((" from ", "the whole payload")) for line in told] == [
        point.scalar and point.topic is None for point in points
    ]


def test_the_published_schema_is_that_of_the_code() -> None:
    file = FOLDER.parents[1] / "docs" / "profile.schema.json"
    assert json.loads(file.read_text(encoding="utf-8")) == Profile.model_json_schema(by_alias=True)


def test_the_command_prints_one_json_line_per_value_and_refusal() -> None:
    run = subprocess.run(
        [
            sys.executable,
            "-m",
            "wijkenergie",
            "device",
            "decode",
            "goodwe.et",
            FOLDER / "fixtures/goodwe.et.no-total.json",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert {"refused": "pv_energy", "point": "pv", "reason": "not implemented value 0xFFFFFFFF"} in lines
    assert {line["value"] for line in lines if line.get("point") == "import"} == {"58.0"}


def test_the_list_names_every_profile_with_its_maturity() -> None:
    lines = list_profiles()
    assert [line.split()[0] for line in lines] == published()
    assert all(line.split()[2] in ("capture-tested", "document-only", "community") for line in lines)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", "f.json:1: this is not JSON."),
        ("[]", "f.json: the file must hold one object with"),
        ('{"at": "2026-01-01T12:00:00Z"}', "f.json: there is nothing to decode;"),
        ('{"registers": [{"function": 3, "start": 0, "values": [1]}]}', "f.json: at: this field is missing;"),
        (
            '{"registers": [{"function": 3, "start": 0, "values": [70000]}], "at": "2026-01-01T12:00:00Z"}',
            "f.json: registers[0].values: 70000 is not a register;",
        ),
        ('{"messages": [{"topic": 5, "payload": ""}]}', "f.json: messages[0].topic: this must be a text."),
        ('{"frames": ["XY"], "at": "2026-01-01T12:00:00Z"}', "f.json: frames[0]: this is not hexadecimal."),
        ('{"register": []}', "f.json: register: unknown field;"),
        ('{"messages": [{"topic": "a", "payload": "1"}], "at": "now"}', "f.json: at: 'now' is not a time"),
    ],
)
def test_a_wrong_recording_is_one_sentence_with_file_and_field(tmp_path: Path, text: str, sentence: str) -> None:
    file = tmp_path / "f.json"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(BadInput) as caught:
        decode_file("kwb.boiler", file)
    assert str(caught.value).startswith(sentence) or sentence in str(caught.value)
    assert "\n" not in str(caught.value)
