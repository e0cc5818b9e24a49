"""A workflow in Python: sends one file by the three steps of a direct upload, and hashes it on the way.

The result is the file input that names the asset, with the SHA-256 of what was sent.
"""

import asyncio
import hashlib
import json

import wit_world
from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import file_inputs, files, types, uploads

CHUNK = 256 * 1024


class Workflow(exports.Workflow):
    def describe(self) -> types.Descriptor:
        return types.Descriptor(
            name="direct-upload",
            version="0.1.0",
            summary="Uploads one file step by step, and names it for a request",
            accepts=["*/*"],
            produces=[],
            config_schema="",
        )

    async def run(self, config: str) -> str:
        inputs = files.inputs()
        if len(inputs) != 1:
            raise Err(types.Error_Failed(f"takes one file, not {len(inputs)}"))
        with inputs[0] as file:
            try:
                return await send(file)
            except Err as error:
                if isinstance(error.value, uploads.UploadError | file_inputs.InputError):
                    raise Err(types.Error_Failed(in_words(error.value))) from error
                raise


def in_words(error: uploads.UploadError | file_inputs.InputError) -> str:
    kind = type(error).__name__.split("_")[1]
    return f"{kind}: {error.value}" if hasattr(error, "value") else kind


async def send(file: files.File) -> str:
    info = file.info()
    with await uploads.DirectUpload.create(info, info.size or 0) as upload:
        writer, reader = wit_world.byte_stream()
        # Each call is seen to its end: a guest may not return while one is under way.
        ended = await asyncio.gather(upload.put(reader), copy(file, writer), return_exceptions=True)
        for error in ended:
            if isinstance(error, BaseException):
                raise error
        _, sha256 = ended
        asset = await upload.complete()
    file_input = json.loads(file_inputs.to_json(file_inputs.from_asset(asset)))
    return json.dumps({"file": file_input, "sha256": sha256})


async def copy(file: files.File, writer) -> str:
    """Passes a file on, and gives its SHA-256 in hex."""
    sha256 = hashlib.sha256()
    with file.read() as reader, writer:
        while not reader.writer_dropped:
            chunk = await reader.read(CHUNK)
            sha256.update(chunk)
            await writer.write_all(chunk)
    return sha256.hexdigest()
