"""Read and write the metadata of an ONNX file without the package onnx, which a prediction does not need."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

# Numbers of fields in ONNX's ModelProto and StringStringEntryProto: see onnx.proto.
_GRAPH, _METADATA, _KEY, _VALUE = 7, 14, 1, 2

# Version of the inputs, outputs and metadata of exported models.
VERSION = 2

VERSION_KEY, DIGEST_KEY = "export_version", "graph_sha256"


class NotExportedError(ValueError):
    """A file that is not whole, or no model of this project."""


def read(path: Path) -> dict[str, Any]:
    """Return the metadata of an exported model; its values are JSON.

    Raises
    ------
    NotExportedError
        If the file is no ONNX model, damaged, or without this metadata; the message says which.
    """
    metadata, graph = {}, b""
    try:
        for field, content in _fields(path.read_bytes()):
            if field == _METADATA:
                entry = dict(_fields(content))
                metadata[entry[_KEY].decode()] = entry[_VALUE].decode()
            elif field == _GRAPH:
                graph = content
    except (ValueError, KeyError):
        raise NotExportedError("damaged, truncated, or not an ONNX model") from None
    if DIGEST_KEY not in metadata or VERSION_KEY not in metadata:
        raise NotExportedError("not a model of this project")
    try:
        values = {key: json.loads(value) for key, value in metadata.items()}
    except ValueError:
        raise NotExportedError("its metadata are damaged") from None
    if values[VERSION_KEY] != VERSION:
        raise NotExportedError("made by another version of this project")
    if values[DIGEST_KEY] != hashlib.sha256(graph).hexdigest():
        raise NotExportedError("damaged: its network is not what its metadata say")
    return values


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield number and content of the fields of a message in Protocol Buffers' format; numbers have no content."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            if place >= len(message) or shift > 63:
                raise ValueError
            byte = message[place]
            place, value, shift = place + 1, value | (byte & 127) << shift, shift + 7
            if byte < 128:
                return value

    while place < len(message):
        tag = varint()
        if tag & 7 == 0:
            varint()
        elif tag & 7 == 2:
            size = varint()
            if place + size > len(message):
                raise ValueError
            yield tag >> 3, message[place : place + size]
            place += size
        else:
            raise ValueError
