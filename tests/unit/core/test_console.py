"""Output on terminals that cannot show it."""

import io
import sys

import pytest

from genres.core.console import command, print_table


def test_what_looks_like_markup_is_shown_as_it_is(capsys):
    print_table("[/b] of [red]x", ["[/c]", "n"], [["[/d]", "[bold]y"]], ["[/e]", ":smile:"])
    out = capsys.readouterr().out
    assert all(text in out for text in ("[/b] of [red]x", "[/c]", "[/d]", "[bold]y", "[/e]", ":smile:"))


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "utf-8"])
def test_what_a_terminal_cannot_show_is_replaced(monkeypatch, encoding):
    terminal = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    monkeypatch.setattr(sys, "stdout", terminal)
    reached = []

    def main():
        print_table("Ação → 日本", ["genre", "▁▂█"], [["Mod\udc85", 1]])
        print("a\udc85b █ c")
        reached.append(1)

    command(main)()
    terminal.flush()
    shown = terminal.buffer.getvalue().decode(encoding)
    assert reached and "a?b" in shown
    assert ("日本" in shown) == (encoding == "utf-8")
    assert ("Ação" in shown) == (encoding != "ascii")
