"""What the README shows is what happens."""

from __future__ import annotations

import contextlib
import io
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from edgeplan.cli import app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


SNIPPETS = re.findall(r"```python\n(.*?)```\s+```\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("found", SNIPPETS)
def test_a_python_snippet_prints_what_stands_below_it(
    found: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(found[0], "README.md", "exec"), {})
    assert printed.getvalue() == found[1]


def test_every_verb_of_the_table_exists_and_every_verb_is_in_it() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)
    verbs = [command.callback.__name__ for command in app.registered_commands if command.callback]
    assert listed == [*verbs, *(group.name for group in app.registered_groups)]


@pytest.mark.parametrize("verb", re.findall(r"^edgeplan (\w+) ", README, re.MULTILINE))
def test_the_commands_shown_take_the_options_shown(verb: str) -> None:
    shown = re.search(rf"^edgeplan {verb} (.*)$", README, re.MULTILINE)
    assert shown is not None
    text = CliRunner().invoke(app, [verb, "--help"], env={"COLUMNS": "200"}).output
    for option in re.findall(r"(?<!\S)--?[a-z-]+", shown[1]):
        assert option in text


def test_the_files_it_links_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target
