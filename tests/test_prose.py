"""The check of prose: each rule finds what it is against, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.programs import load

PROSE = load("scripts/prose")
RULES = {rule.name: rule for rule in PROSE.RULES}


def names(sentence: str) -> list[str]:
    return [name for name, _ in PROSE.faults_of(sentence, 25)]


def texts(blocks: Any) -> list[tuple[int, str]]:
    return [(each.line, each.text) for block in blocks for each in PROSE.sentences(block)]


def test_each_rule_has_a_name_of_its_own() -> None:
    assert len(RULES) == len(PROSE.RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_rule_finds_its_bad_example_and_passes_the_good_one(name: str) -> None:
    assert name in names(RULES[name].bad)
    assert names(RULES[name].good) == []


def test_a_sentence_of_more_words_than_the_limit_is_too_long() -> None:
    assert names(" ".join(["word"] * 25) + ".") == []
    assert names(" ".join(["word"] * 26) + ".") == ["too long"]


def test_the_limit_is_lower_on_pages_than_in_code(tmp_path: Path) -> None:
    sentence = " ".join(["word"] * 28) + "."
    (tmp_path / "page.md").write_text(sentence)
    (tmp_path / "code.py").write_text(f'"""{sentence}"""')
    assert [each.rule for each in PROSE.check_file(tmp_path / "page.md")] == ["too long"]
    assert list(PROSE.check_file(tmp_path / "code.py")) == []


@pytest.mark.parametrize(
    "sentence",
    [
        "The model says `we` in code.",
        'A caller says "we want nothing", and the agent answers.',
        "See [the page](https://example.com/roads/our-desk.md).",
        "The text of {desk} is put in.",
        "Read <https://example.com/our/road>.",
    ],
)
def test_code_addresses_and_quoted_speech_are_not_prose(sentence: str) -> None:
    assert names(sentence) == []


def test_markdown_is_read_without_code_generated_parts_and_comments() -> None:
    page = """# A heading

A paragraph of two
lines. And a second sentence.

- An item
  of two lines
- Another `code. Here` item

| Cell | With \\| bar |
| --- | --- |

```sh
our code
```

<!-- generated: cli -->

our generated text

<!-- end -->
The end."""
    assert texts(PROSE.blocks_of_markdown(page)) == [
        (1, "A heading"),
        (3, "A paragraph of two lines."),
        (4, "And a second sentence."),
        (6, "An item of two lines"),
        (8, "Another `code. Here` item"),
        (10, "Cell"),
        (10, "With \\| bar"),
        (11, "---"),
        (11, "---"),
        (22, "The end."),
    ]


def test_python_is_read_for_docstrings_comments_errors_logs_and_help() -> None:
    source = '''"""A module.

    drawn  --->  drawing

Second paragraph.
"""
import click

value = 1
"""What the value is."""

# A comment of
# two lines.
#
#     an example
#
# Another comment.
@click.option("--seed", help="Which seed.")
def run(error):
    """Run it.

    - one item
      that goes on

        an example in code
    """
    log.warning("it is late by %s", error)
    other("not read by people")
    raise ConfigError(f"expected {value}, got"
        f" {error}")
'''
    assert sorted(texts(PROSE.blocks_of_python(source))) == [
        (1, "A module."),
        (5, "Second paragraph."),
        (10, "What the value is."),
        (12, "A comment of two lines."),
        (17, "Another comment."),
        (18, "Which seed."),
        (20, "Run it."),
        (22, "one item that goes on"),
        (27, "it is late by %s"),
        (29, "expected {}, got {}"),
    ]


def test_a_path_is_checked_and_its_offences_are_printed_with_their_lines(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\nThe server answers.\n")
    assert PROSE.main([str(page)]) == 0
    page.write_text("# Page\n\nThe server answers. We wait.\n")
    assert PROSE.main([str(tmp_path)]) == 1
    printed = capsys.readouterr().out
    assert f"{page}:3: we: write name the program" in printed
    assert PROSE.main([str(tmp_path / "none.md")]) == 2
    page.rename(tmp_path / "LICENCES.md")
    assert PROSE.main([str(tmp_path)]) == 0


def test_an_allowed_sentence_passes_and_a_stale_one_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "README.md").write_text("We answer.\n")
    monkeypatch.setattr(PROSE, "ROOT", tmp_path)
    monkeypatch.setattr(PROSE, "TEXTS", ("README.md",))
    monkeypatch.setattr(PROSE, "ALLOWED", {("README.md", "We answer."): "an example"})
    assert PROSE.main([]) == 0
    (tmp_path / "README.md").write_text("The server answers.\n")
    assert PROSE.main([]) == 1
    assert "a sentence that README.md has not: We answer." in capsys.readouterr().out
