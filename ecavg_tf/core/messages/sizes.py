"""How many bytes messages have that nobody writes: those of edges in the server's process."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ecavg_tf.core.files import canonical_json
from ecavg_tf.core.messages.reply import FILES, NoReply, Reply, encode_reply
from ecavg_tf.core.messages.request import Request, metadata_of
from ecavg_tf.core.messages.update_file import METADATA_KEY
from ecavg_tf.core.template import Array

_SHA256 = 64  # letters
_TYPES = {  # numpy's and safetensors' names; a file has the last ones first
    "bool": "BOOL",
    "uint8": "U8",
    "int8": "I8",
    "int16": "I16",
    "uint16": "U16",
    "float16": "F16",
    "bfloat16": "BF16",
    "int32": "I32",
    "uint32": "U32",
    "float32": "F32",
    "float64": "F64",
    "int64": "I64",
    "uint64": "U64",
}


def request_bytes(request: Request) -> int:
    """Size of the file that ``write_request`` would make."""
    weights = request.model.weights
    metadata = metadata_of(request) | {"sha256": "0" * _SHA256}
    return tensors_bytes({} if weights is None else request.template.named(weights), metadata)


def reply_bytes(request: Request, reply: Reply | NoReply) -> int:
    """Size of the files that a mailbox would hold of a reply: what it names, and its JSON."""
    files: dict[str, Path | None] = {}
    if isinstance(reply, Reply):
        files = {name: getattr(reply, name) for name in FILES}
    hashes = {name: "0" * _SHA256 for name, file in files.items() if file is not None}
    text = json.dumps(encode_reply(request, reply, hashes), indent=2)
    sizes = (file.stat().st_size for file in files.values() if file is not None)
    return len(text) + 1 + sum(sizes)


def tensors_bytes(tensors: Mapping[str, Array], metadata: Mapping[str, Any]) -> int:
    """Size of the file that ``save_tensors`` would make.

    A safetensors file is the length of its header in 8 bytes, the header as JSON that is filled
    up with spaces to a multiple of 8, and the arrays.
    """
    header: dict[str, Any] = {"__metadata__": {METADATA_KEY: canonical_json(metadata)}}
    end, rank = 0, {name: at for at, name in enumerate(_TYPES)}
    for key in sorted(tensors, key=lambda key: (-rank.get(tensors[key].dtype.name, 0), key)):
        array = tensors[key]
        header[key] = {
            "dtype": _TYPES.get(array.dtype.name, array.dtype.name),
            "shape": list(array.shape),
            "data_offsets": [end, end + array.nbytes],
        }
        end += array.nbytes
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    return 8 + -(-len(text) // 8) * 8 + end
