"""What the first bytes of a file say of how it is written: errors for what is no text in UTF-8."""

from codecs import BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE
from typing import Any

__all__ = ["LOOKED_AT", "refuse_other_formats", "refuse_utf16"]

LOOKED_AT = 64  # bytes
FEWEST = 6  # bytes of which every other one is zero, from which that is no chance
MARKS = {BOM_UTF32_LE: "UTF-32", BOM_UTF32_BE: "UTF-32", BOM_UTF16_LE: "UTF-16", BOM_UTF16_BE: "UTF-16"}
SIGNS = {  # what files begin with that are no CSV: what they are, and what to do
    b"\x1f\x8b": ("gzip", "give it a name that ends in .csv.gz"),
    b"PK\x03\x04": ("zip, as of Excel", "export the table as CSV, or give a zipped CSV a name that ends in .csv.zip"),
    b"\xd0\xcf\x11\xe0": ("old versions of Excel", "export the table as CSV"),
    b"PAR1": ("Parquet", "give it a name that ends in .parquet"),
}


def refuse_other_formats(path: Any) -> None:
    """Refuse a file with the name of a plain CSV or TSV that begins as those of other formats do, or is in UTF-16.

    Raises
    ------
    ValueError
    """
    if not str(path).lower().endswith((".csv", ".tsv")):
        return
    with open(path, "rb") as file:
        head = file.read(LOOKED_AT)
    for sign, (name, remedy) in SIGNS.items():
        if head.startswith(sign):
            raise ValueError(f"{path} is no CSV: it begins as a file in the format of {name} does; {remedy}")
    refuse_utf16(path, head)


def refuse_utf16(path: Any, head: bytes) -> None:
    """Refuse a text that begins with the byte order mark of UTF-16 or UTF-32, or without one with a zero in every other byte.

    Raises
    ------
    ValueError
    """
    kind = next((name for mark, name in MARKS.items() if head.startswith(mark)), None)
    head = head[: len(head) // 2 * 2]
    first, second = any(head[::2]), any(head[1::2])
    if kind is None and len(head) >= FEWEST and first != second:
        kind = "UTF-16LE" if first else "UTF-16BE"
    if kind is not None:
        raise ValueError(f"{path} is not UTF-8, but {kind}; write it anew as UTF-8, such as with iconv -f {kind} -t UTF-8")
