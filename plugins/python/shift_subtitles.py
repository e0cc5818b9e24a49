"""A stream plugin in Python: moves the times of SubRip subtitles, for a video whose beginning was cut or prolonged."""

import asyncio
import json
import re

import wit_world
from componentize_py_types import Err
from wit_world import exports
from wit_world.imports import outputs, types

CHUNK = 64 * 1024
TIMES = re.compile(rb"^(\d+):(\d\d):(\d\d),(\d{3})( --> )(\d+):(\d\d):(\d\d),(\d{3})(.*)$", re.DOTALL)

SCHEMA = {
    "type": "object",
    "properties": {
        "seconds": {
            "type": "number",
            "description": "How much later the subtitles are to come; less than 0 for earlier.",
        }
    },
    "required": ["seconds"],
    "additionalProperties": False,
}


class Transform(exports.Transform):
    def describe(self) -> types.Descriptor:
        return types.Descriptor(
            name="shift-subtitles",
            version="0.1.0",
            summary="Moves the times of SubRip subtitles",
            accepts=["application/x-subrip"],
            produces=[],
            config_schema=json.dumps(SCHEMA),
        )

    async def transform(self, input: types.FileInfo, content, config: str) -> None:
        milliseconds = round(json.loads(config)["seconds"] * 1000)
        writer, reader = wit_world.byte_stream()
        info = types.FileInfo(name=input.name, media_type=input.media_type, size=None)
        calls = outputs.emit(info, reader), shift(content, writer, milliseconds)
        # Each call is seen to its end: a guest may not return while one is under way.
        for ended in await asyncio.gather(*calls, return_exceptions=True):
            if isinstance(ended, BaseException):
                raise ended


async def shift(content, writer, milliseconds: int) -> None:
    """Copies line by line; a line may be cut anywhere between two readings."""
    rest = b""
    with content, writer:
        while not content.writer_dropped:
            *lines, rest = (rest + await content.read(CHUNK)).split(b"\n")
            await writer.write_all(b"".join(moved(line, milliseconds) + b"\n" for line in lines))
        if rest:
            await writer.write_all(moved(rest, milliseconds))


def moved(line: bytes, milliseconds: int) -> bytes:
    match = TIMES.match(line)
    if match is None:
        return line
    start, end = (time(match.groups()[at : at + 4], milliseconds) for at in (0, 5))
    return start + match[5] + end + match[10]


def time(parts: tuple[bytes, ...], milliseconds: int) -> bytes:
    hours, minutes, seconds, thousandths = map(int, parts)
    total = ((hours * 60 + minutes) * 60 + seconds) * 1000 + thousandths + milliseconds
    if total < 0:
        raise Err(types.Error_InvalidInput("a subtitle would come before the beginning"))
    seconds, thousandths = divmod(total, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return b"%02d:%02d:%02d,%03d" % (hours, minutes, seconds, thousandths)
