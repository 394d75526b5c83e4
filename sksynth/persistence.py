"""Files that models are kept in: plain data (JSON and arrays of numbers), never pickles, written whole or not at all.

A *state* is a tree of dicts, lists and leaves (None, bool, int, float, str, arrays of numbers or booleans). A *state file* is
an ``.npz`` of its arrays with the rest of the tree as JSON among them, which ``numpy.load`` reads as well. A *model file* is a
zip of state files and of histories as CSV. Members are stored, not compressed, so that nothing that is read is larger than the
file.
"""

import io
import json
import math
import os
import re
import secrets
import shutil
import stat
import zipfile
from collections.abc import Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["FORMAT", "ModelFileError"]

FORMAT = 1  # of everything in here; files of a later format are refused by name
TREE = "state.json"
HEADER = "format.json"
KINDS = "biuf"  # of arrays
ARRAY = re.compile(  # the header of one, as numpy.save writes it; a pattern, as numpy.load evaluates Python's literals
    rb"\x93NUMPY\x01\x00..\{'descr': '([<>|][biuf][1248])', 'fortran_order': False, 'shape': \(([0-9, ]{0,999})\), \} *\n",
    re.DOTALL,
)
LONGEST = 1_000  # characters of a message, which may show what is in a file


class ModelFileError(ValueError):
    """A model file or checkpoint that is damaged, was tampered with, or was written by something else."""


@contextmanager
def reading(where: Any):
    """Turn whatever goes wrong within the block into a `ModelFileError` that names the file."""
    try:
        yield
    except OSError:
        raise
    except ModelFileError as error:
        text = str(error)
        raise error if str(where) in text else ModelFileError(f"{where}: {text:.{LONGEST}}") from error
    except Exception as error:
        text = f"{type(error).__name__}: {error}"
        raise ModelFileError(f"{where} is no readable model file: {text:.{LONGEST}}") from error


def to_bytes(state: Mapping) -> bytes:
    """Return a state as the bytes of a state file."""
    arrays: dict[str, np.ndarray] = {}
    tree = json.dumps(_without_arrays(state, "", arrays), allow_nan=False)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_member(TREE), tree)
        for name, array in arrays.items():
            part = io.BytesIO()
            np.lib.format.write_array(part, np.asarray(array, order="C"), allow_pickle=False)
            archive.writestr(_member(f"{name}.npy"), part.getvalue())
    return buffer.getvalue()


def from_bytes(data: bytes) -> dict:
    """Return the state of which `to_bytes` made `data`.

    Raises
    ------
    ModelFileError
        If the bytes are no state file.
    """
    members = read_members(io.BytesIO(data))
    tree = parse_json(members.pop(TREE, b"null"))
    if not isinstance(tree, dict):
        raise ModelFileError(f"expected a state file with {TREE}, got members {sorted(members)[:5]}")
    arrays = {name.removesuffix(".npy"): _array_of(name, content) for name, content in members.items()}
    state = _with_arrays(tree, arrays)
    if arrays:
        raise ModelFileError(f"got arrays {sorted(arrays)[:5]}, expected only those that {TREE} names")
    return state


def to_json(value: Any) -> bytes:
    """Return plain data as JSON text."""
    return json.dumps(value, allow_nan=False, indent=1).encode()


def parse_json(data: bytes) -> Any:
    """Return the value of JSON text, strictly."""
    try:
        return json.loads(data.decode("utf-8"), parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ModelFileError(f"got no JSON: {error}") from error


def _finite(text):
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"got the number {text:.30}, expected a finite one")
    return value


def _without_arrays(value, path, arrays):
    """Return a tree with a reference in place of every array, which is put into `arrays`."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind not in KINDS or value.itemsize > 8:
            raise TypeError(f"{path}: a state holds arrays of numbers or booleans, got {value.dtype}")
        arrays[path] = value
        return {"array": path}
    if isinstance(value, Mapping):
        if "array" in value:
            raise TypeError(f"{path}: a state has no key 'array'")
        return {key: _without_arrays(item, f"{path}/{key}" if path else str(key), arrays) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_arrays(item, f"{path}/{place}", arrays) for place, item in enumerate(value)]
    return value


def _with_arrays(tree, arrays):
    if isinstance(tree, list):
        return [_with_arrays(item, arrays) for item in tree]
    if not isinstance(tree, dict):
        return tree
    if "array" in tree:
        name = tree["array"]
        if set(tree) != {"array"} or not isinstance(name, str) or name not in arrays:
            raise ModelFileError(f"got a reference {tree!r}, expected one of the arrays {sorted(arrays)[:5]}")
        return arrays.pop(name)
    return {key: _with_arrays(item, arrays) for key, item in tree.items()}


def _array_of(name, content):
    """Return the array of a ``.npy`` member; what its header declares is held against its length before anything is made."""
    header = ARRAY.match(content)
    if header is None or header.end() != 10 + int.from_bytes(content[8:10], "little"):
        raise ModelFileError(f"{name}: got no header of an array of numbers: {content[:100]!r}")
    try:
        shape = [int(length) for length in header[2].split(b",") if length.strip()]
        array = np.frombuffer(content, header[1].decode(), offset=header.end()).reshape(shape)
        if array.dtype == bool and array.view(np.uint8).max(initial=0) > 1:
            raise ValueError("a boolean is 0 or 1")  # NumPy relies on it where it counts cells to be written
        return array.astype(array.dtype.newbyteorder("="))
    except (OverflowError, TypeError, ValueError) as error:
        raise ModelFileError(f"{name}: got {len(content)} bytes for {header[0][10:]!r}: {error}") from error


def _member(name):
    return zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))  # the same state, the same bytes


def read_members(file: Any) -> dict[str, bytes]:
    """Return the content of all members of a zip by name; only stored ones, each once, with plain relative names."""
    members: dict[str, bytes] = {}
    try:
        room = file.seek(0, os.SEEK_END)  # for all members together: they may lie one within another
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                _check_member(info, members)
                room -= info.file_size
                if room < 0:
                    raise ModelFileError(f"{info.filename}: got {info.file_size} bytes, more than the rest of the file has")
                members[info.filename] = archive.read(info)
                if len(members[info.filename]) != info.file_size:
                    raise ModelFileError(f"{info.filename}: got {len(members[info.filename])} of {info.file_size} bytes")
    except ModelFileError:
        raise
    except Exception as error:  # zipfile answers damage with errors of many kinds
        raise ModelFileError(f"got no readable archive: {type(error).__name__}: {error}") from error
    return members


def _check_member(info, members):
    name = info.filename
    if name in members:
        raise ModelFileError(f"got the member {name!r} twice")
    if name != os.path.normpath(name).replace(os.sep, "/") or name.startswith(("/", "..")) or ":" in name or "\\" in name:
        raise ModelFileError(f"got a member named {name!r}, expected a plain relative name")
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size or info.flag_bits & 1:
        raise ModelFileError(f"{name}: got {info.file_size} bytes out of {info.compress_size}, expected stored members")


def write_model_file(path: Any, files: Mapping[str, bytes], kind: str) -> None:
    """Write the files of a model as one zip, whole or not at all.

    Parameters
    ----------
    path : str or path
    files : dict of str to bytes
    kind : str
        Name of the estimator's class.
    """
    from . import __version__

    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr(_member(HEADER), json.dumps({"sksynth": __version__, "format": FORMAT, "kind": kind}))
        for name, content in files.items():
            archive.writestr(_member(name), content)
    write_atomically(Path(path), buffer.getvalue())


def read_model_file(path: Any, kind: str) -> dict[str, bytes]:
    """Return the files of a model of this kind, by name.

    Raises
    ------
    ModelFileError
        If it is no such file, or one of a later format.
    """
    with reading(path), open(path, "rb") as file:
        members = read_members(file)
        if HEADER not in members:
            raise ModelFileError(f"expected a model file with {HEADER}, got members {sorted(members)[:5]}")
        check_header(parse_json(members.pop(HEADER)), kind)
        return members


def check_header(header: Any, kind: str) -> None:
    """Refuse what another class, or a later version, has written."""
    if not isinstance(header, dict) or type(header.get("format")) is not int or header["format"] < 1:
        raise ModelFileError(f"got the header {header!r:.200}, expected that of a model file")
    if header["format"] > FORMAT:
        raise ModelFileError(
            f"written by sksynth {header.get('sksynth')} in format {header['format']}, of which this version knows {FORMAT} "
            "at most: install that version, or fit anew"
        )
    if header.get("kind") != kind:
        raise ModelFileError(f"holds a {header.get('kind')}, expected a {kind}: load it with {header.get('kind')}.load")


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file such that whoever reads it finds the old content or the new, whatever happens in between.

    A link stays one, and a file keeps its mode; what is no regular file (a device, a pipe) is written into.

    Raises
    ------
    OSError
        If it cannot be written (no space, no permission); what was there before is still there.
    """
    aside = None
    try:
        path = real_path(path)
        if _is_special(path):
            path.write_bytes(content)
            return
        aside = path.with_name(f".{secrets.token_hex(8)}.part")  # another one for every thread
        with open(aside, "xb", opener=partial(_open_like, path)) as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        put_in_place(aside, path)
    except OSError as error:
        if aside is not None:
            with suppress(OSError):
                aside.unlink()
        raise OSError(
            error.errno,
            f"cannot write {path} ({len(content):,} bytes): {error.strerror}. What was there before is still there: make "
            "room, or allow writing there, or choose another path",
        ) from error


def real_path(path: Any) -> Path:
    """Return the absolute path of the file that a path names, which is another where it is a link to a file."""
    path = Path(os.path.abspath(path))
    return path if _is_special(path) else Path(os.path.realpath(path))


def _is_special(path):
    """Tell devices, pipes and sockets from files and folders."""
    return path.exists() and not path.is_file() and not path.is_dir()


def _open_like(path, aside, flags):
    """Open a new file that nobody may read who may not read the one at `path`."""
    return os.open(aside, flags, 0o600 if path.exists() else 0o666)


def put_in_place(aside: Path, path: Path) -> None:
    """Give a file that is written, whole and on disk, its name; of a file that has it mode and owner are kept.

    Where the name is that of a device or a pipe, the content is written into that.
    """
    if _is_special(path):
        with open(aside, "rb") as source, open(path, "wb") as target:
            shutil.copyfileobj(source, target)
        aside.unlink()
        return
    with suppress(FileNotFoundError):
        before = path.stat()
        with suppress(PermissionError, AttributeError):  # that only root may, and only Unix knows
            os.chown(aside, before.st_uid, before.st_gid)
        os.chmod(aside, stat.S_IMODE(before.st_mode))
    os.replace(aside, path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def under(prefix: str, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a folder, by their names within it."""
    return {name.removeprefix(f"{prefix}/"): content for name, content in files.items() if name.startswith(f"{prefix}/")}


def state_in(files: Mapping[str, bytes], name: str) -> dict:
    """Return the state in one of the files of a model; errors name it."""
    with reading(name):
        return from_bytes(content_in(files, name))


def content_in(files: Mapping[str, bytes], name: str) -> bytes:
    """Return one of the files of a model."""
    if name not in files:
        raise ModelFileError(f"expected a file {name}, got {sorted(files)[:8]}")
    return files[name]


def settings_in(files: Mapping[str, bytes], name: str, kind: str) -> dict:
    """Return the settings in one of the files of a model of this kind; errors name it."""
    with reading(name):
        settings = parse_json(content_in(files, name))
        check_header(settings, kind)
        return settings
