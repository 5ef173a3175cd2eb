"""A state as bytes that a client may keep: safetensors, signed by the server that gave them out.

The header's `__metadata__` holds `elman`, JSON as

    {"version": 1, "model": "5f0c…", "position": 61, …, "signature": "d3a1…"}

The signature, 64 hexadecimal digits, is HMAC-SHA256 by the server's key of all bytes, with zeros
for itself. It is proved before anything else is read.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
from collections.abc import Mapping
from typing import Any

from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from elman.serve.contract import Refused

VERSION = 1
LARGEST_HEADER = 1 << 24  # bytes
UNSIGNED = b"0" * 64
SIGNATURE = re.compile(rb'\\"signature\\":\\"([0-9a-f]{64})\\"')  # JSON within JSON


def seal(key: bytes, told: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors and plain values, signed."""
    described = {"version": VERSION, **told, "signature": UNSIGNED.decode()}
    metadata = {"elman": json.dumps(described, separators=(",", ":"))}
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    blob = save(plain, metadata)
    at = _place_of_signature(blob)
    return blob[:at] + _signature(key, blob) + blob[at + len(UNSIGNED) :]


def unseal(key: bytes, blob: bytes) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What `seal` was given. Refused: bytes that were not sealed with this key, or otherwise."""
    at = _place_of_signature(blob)
    unsigned = blob[:at] + UNSIGNED + blob[at + len(UNSIGNED) :]
    if not hmac.compare_digest(_signature(key, unsigned), blob[at : at + len(UNSIGNED)]):
        raise refused("was changed, or was not given out by this server")
    try:
        told = json.loads(json.loads(_header(blob))["__metadata__"]["elman"])
        tensors = load(blob)
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        raise refused("is damaged") from None
    if told["version"] != VERSION:
        raise refused(f"has version {told['version']}; this server reads {VERSION}")
    return told, tensors


def refused(what: str) -> Refused:
    return Refused(400, "invalid_state", f"the state {what}", "state")


def _signature(key: bytes, unsigned: bytes) -> bytes:
    return hmac.new(key, unsigned, hashlib.sha256).hexdigest().encode()


def _header(blob: bytes) -> bytes:
    length = int.from_bytes(blob[:8], "little")
    if len(blob) < 8 or length > min(len(blob) - 8, LARGEST_HEADER):
        raise refused("is damaged: it is cut off, or no safetensors")
    return blob[8 : 8 + length]


def _place_of_signature(blob: bytes) -> int:
    found = list(SIGNATURE.finditer(_header(blob)))
    if len(found) != 1:
        raise refused("is not one that this server gave out: it has no signature")
    return 8 + found[0].start(1)
