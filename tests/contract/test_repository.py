"""What every file of the repository keeps to, whatever it is about."""

from __future__ import annotations

import ast
import hashlib
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from babel.messages.catalog import Message
from babel.messages.pofile import read_po
from packaging.requirements import Requirement

from core.words import LANGUAGES
from dashboards.generate import DASHBOARDS

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PACKAGES = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
DOMAINS = ("pages", "messages", "documents")
TRANSLATIONS = ROOT / "core" / "translations"


@cache
def tracked() -> tuple[Path, ...]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return tuple(path for name in listed.split("\0") if name and (path := ROOT / name).is_file())


def texts(*suffixes: str) -> Iterator[tuple[str, str]]:
    for path in tracked():
        if not suffixes or path.suffix in suffixes:
            content = path.read_bytes()
            if b"\0" not in content:
                yield str(path.relative_to(ROOT)), content.decode("utf-8")


# ---- every file

# Written in pieces, so that this file keeps its own rule.
FOREIGN = re.compile(
    "|".join(
        [
            r"\.\./" + "shared",
            "/" + r"work/(main|shared|\.)",
            "/" + r"(root|tmp/brief|tmp/tsdb|opt/wheels)\b",
            "pypi" + r"\.org",
            "python" + "hosted",
            "npm" + r"js\.",
            r"--(extra-)?index" + "-url|find" + "-links",
            r"\b[Ii]ssue" + r" #?\d",
            r"\bissues " + "show",
            r"\b(LL" + "M|A" + "I)s?\\b",
            "(?i:language " + "model|chat" + "gpt|open" + "ai|anth" + "ropic|cla" + "ude|co" + "pilot)",
        ]
    )
)
MAY_NAME = {
    "deploy/lock": {"--no-emit-index" + "-url", "--no-emit-find" + "-links"},  # the options that keep them out
}


def test_no_file_names_a_machine_an_index_or_a_workplace() -> None:
    found = []
    for name, text in texts():
        for allowed in MAY_NAME.get(name, ()):
            text = text.replace(allowed, "")  # noqa: PLW2901 - the same text, without what it may say
        found += [f"{name}: {match[0]}" for match in FOREIGN.finditer(text)]
    assert found == []


def test_text_files_end_with_one_newline_and_have_no_carriage_returns() -> None:
    faults = [
        name
        for name, text in texts(".py", ".md", ".toml", ".yaml", ".yml", ".sql", ".po", ".html", ".css", ".js", ".lock")
        if text and (not text.endswith("\n") or text.endswith("\n\n") or "\r" in text)
    ]
    assert faults == []


def test_the_licence_is_the_official_text() -> None:
    digest = hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest()
    assert digest == "0d96a4ff68ad6d4b6f1f30f713b18d5184912ba8dd389f86aa7710db079abcb0"
    assert PROJECT["project"]["license"] == "AGPL-3.0-or-later"


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{name}: {target}"
        for name, text in texts(".md")
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
        if "://" not in target
        and not target.startswith("mailto:")
        and not (ROOT / name).parent.joinpath(target).exists()
    ]
    assert broken == []


@pytest.mark.parametrize("script", [".ci/run", "deploy/lock", "deploy/broker/start", "deploy/broker/certificates"])
def test_scripts_can_be_executed_and_parsed(script: str) -> None:
    path = ROOT / script
    assert path.stat().st_mode & 0o111
    shell = "bash" if path.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash") else "sh"
    assert subprocess.run([shell, "-n", path], check=False).returncode == 0


# ---- code


def test_no_module_is_longer_than_500_lines() -> None:
    one_file = "settlement/seal/verify.py"  # lies in every sealed bundle, and needs nothing beside it
    assert {name for name, text in texts(".py") if text.count("\n") > 500} == {one_file}


def test_no_function_is_longer_than_60_lines() -> None:
    long = {}
    for name, text in texts(".py"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                lines = node.end_lineno - node.lineno + 1
                if lines > 60:
                    long[f"{name}: {node.name}"] = lines
    assert long == {}


def test_modules_are_named_by_a_noun_and_begin_alike() -> None:
    for name, text in texts(".py"):
        assert Path(name).stem not in {"utils", "util", "helpers", "helper", "common", "misc"}, name
        body = ast.parse(text).body
        if len(body) > 1:
            assert ast.get_docstring(ast.parse(text)), f"{name} does not say what it is"
            assert "from __future__ import annotations" in text, name


EXCEPTION = re.compile(r"#\s*(noqa\b.*|type:\s*ignore\b.*)$", re.MULTILINE)
REASONED = re.compile(r"(noqa: [A-Z]+\d+(, ?[A-Z]+\d+)*|type: ignore\[[\w-]+(, ?[\w-]+)*\]  #) +(- )?\S.{3}")


def test_exceptions_to_the_tools_have_a_code_and_a_reason() -> None:
    found = [f"{name}: {text}" for name, source in texts(".py") for text in EXCEPTION.findall(source)]
    assert [one for one in found if not REASONED.match(one.split(": ", 1)[1])] == []


# ---- the lock files


def locked(name: str) -> dict[str, list[str]]:
    """Requirement lines by package, each with the number of hashes it carries."""
    entries = re.findall(
        r"^([a-z0-9][a-z0-9.-]*)==(\S+)([^\n]*)\n((?:    --hash=sha256:[0-9a-f]{64}(?: \\)?\n)+)",
        (ROOT / name).read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    packages: dict[str, list[str]] = {}
    for package, version, _marker, _hashes in entries:
        packages.setdefault(package, []).append(version)
    return packages


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_file_holds_hashed_versions_and_nothing_else(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    pins = sum(len(versions) for versions in locked(name).values())
    hashes = len(re.findall(r"^    --hash=sha256:[0-9a-f]{64}(?: \\)?$", text, re.MULTILINE))
    assert pins + hashes == text.count("\n"), "some line is neither"


def test_both_lock_files_agree_and_satisfy_the_project() -> None:
    runtime, everything = locked(LOCKS[0]), locked(LOCKS[1])
    assert {package: versions for package, versions in runtime.items() if everything.get(package) != versions} == {}
    project = PROJECT["project"]
    needs = [*project["dependencies"], *PROJECT["build-system"]["requires"]]
    for lock, wanted in ((runtime, needs), (everything, [*needs, *project["optional-dependencies"]["dev"]])):
        for text in wanted:
            requirement = Requirement(text)
            versions = lock.get(re.sub(r"[-_.]+", "-", requirement.name).lower())
            assert versions, text
            assert all(requirement.specifier.contains(version) for version in versions), text


# ---- the front page


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):.*## ", makefile, re.MULTILINE)) - {"help", "clean", "lock", "fmt"}
    cli = (ROOT / "wijkenergie" / "cli.py").read_text(encoding="utf-8")
    commands = {
        str(decorator.keywords[0].value.value) if decorator.keywords else node.name  # type: ignore[attr-defined]  # the name is a constant
        for node in ast.parse(cli).body
        if isinstance(node, ast.FunctionDef)
        for decorator in node.decorator_list
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == "app.command"
    }
    wanted = {f"make {target}" for target in targets} | {f"wijkenergie {command}" for command in commands}
    assert sorted(one for one in wanted if one not in readme) == []


# ---- words

# Words of the trade and of the office, which many readers do not know.
BANNED = re.compile(
    r"(?i)\b(salder\w*|alloca\w*|eindafrekening|teruglever\w*|opwek\w*|proportione\w*|restitutie|debiteur|crediteur"
    r"|conform|inzake|middels|teneinde|derhalve|desbetreffende|hieromtrent|ten behoeve van|dient te|alsmede|tevens"
    r"|indien|betreffende|mutatie\w*|periodiek\w*)\b"
)
LONGEST_SENTENCE = 15


def catalogue(language: str, domain: str) -> dict[str, Message]:
    with (TRANSLATIONS / language / f"{domain}.po").open("rb") as source:
        found = read_po(source, locale=language)
    return {str(message.id): message for message in found if message.id}


def said(message: Message) -> list[str]:
    return [message.string] if isinstance(message.string, str) else list(message.string or ())


@pytest.mark.parametrize("domain", DOMAINS)
def test_every_language_has_every_text(domain: str) -> None:
    keys = {language: set(catalogue(language, domain)) for language in LANGUAGES}
    assert keys["nl"] == keys["en"]
    for language in LANGUAGES:
        for message in catalogue(language, domain).values():
            assert all(said(message)), message.id
            assert not message.fuzzy, message.id


def dutch() -> Iterator[str]:
    for domain in DOMAINS:
        for message in catalogue("nl", domain).values():
            yield from said(message)
    for make in DASHBOARDS.values():
        made = make()
        yield made["description"]
        for panel in made["panels"]:
            yield from (panel["title"], panel.get("description", ""))


def test_dutch_texts_avoid_the_words_of_the_trade() -> None:
    assert [text for text in dutch() if BANNED.search(text)] == []


def test_dutch_sentences_are_short() -> None:
    long = []
    for text in dutch():
        for sentence in re.split(r"(?<=[.!?:;])\s+|\n+", text):
            words = re.findall(r"%\(\w+\)s|[^\W_][\w'-]*", sentence)
            if len(words) > LONGEST_SENTENCE:
                long.append(f"{len(words)}: {sentence}")
    assert long == []
