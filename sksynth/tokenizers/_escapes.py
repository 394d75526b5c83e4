"""Escapes: what SentencePiece would lose of a text is written otherwise before it reads the text, and read back after.

SentencePiece writes a space as U+2581, drops or keeps for itself a few other characters, and knows only what has a UTF-8. So a
space becomes U+2581 here already, and each of those characters and each half of a surrogate pair a stand-in at the end of the
last private plane. Stand-ins that a text itself holds become a pair: the escape and a character of that plane. No piece is
learned of pairs, as their parts would be read as something else where they are sampled alone.
"""

import re
from collections.abc import Callable

__all__ = ["AWKWARD", "MARK", "STAND_INS", "escaper", "unescape", "without_pairs"]

MARK = "\u2581"  # SentencePiece's space
AWKWARD = MARK + "\0\t\n\r\u2585"  # what it drops, never joins to others or keeps for itself
FIRST, FIRST_OF_HALVES, FIRST_OF_PAIRS = 0x10FFF0, 0x10F000, 0x100000
ESCAPE = chr(FIRST)
STAND_INS = {character: chr(FIRST + place) for place, character in enumerate(AWKWARD, 1)}
LAST = chr(FIRST + len(AWKWARD))
HALVES = {chr(code): chr(FIRST_OF_HALVES + code - 0xD800) for code in range(0xD800, 0xE000)}  # of surrogate pairs
PAIRED = [*HALVES.values(), ESCAPE, *STAND_INS.values()]
PAIRS = {character: ESCAPE + chr(FIRST_OF_PAIRS + place) for place, character in enumerate(PAIRED)}
MEANINGS = {written: character for character, written in (STAND_INS | HALVES | PAIRS).items()}
SINGLE = f"{HALVES[chr(0xD800)]}-{HALVES[chr(0xDFFF)]}{STAND_INS[MARK]}-{LAST}"
PAIR = f"{ESCAPE}[{chr(FIRST_OF_PAIRS)}-{PAIRS[LAST][1]}]"
WRITTEN = re.compile(f"[{SINGLE}]|{PAIR}|{ESCAPE}")


def escaper(awkward: str = AWKWARD) -> Callable[[str], str]:
    """Return what escapes a text: `awkward` are the characters that get a stand-in, of which U+2581 has to be one."""
    table = {character: STAND_INS[character] for character in awkward} | HALVES | PAIRS
    pattern = re.compile(f"[{re.escape(awkward)}\ud800-\udfff{SINGLE}{ESCAPE}]")
    return lambda text: pattern.sub(lambda found: table[found[0]], text).replace(" ", MARK)


def unescape(text: str) -> str:
    """Return the text that was escaped; an escape that begins no pair is U+FFFD."""
    return WRITTEN.sub(lambda found: MEANINGS.get(found[0], "\ufffd"), text.replace(MARK, " "))


def without_pairs(text: str) -> list[str]:
    """Return the parts of an escaped text between pairs."""
    return re.split(PAIR, text)
