"""Compiled templates of the theme, kept for as long as this process and those forked from it live."""

from __future__ import annotations

from types import CodeType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import jinja2
    from jinja2.bccache import Bucket


def keep_compiled(env: jinja2.Environment) -> None:
    """Make an environment use what others compiled: the code of a template is named by its name and its text."""
    from jinja2 import BytecodeCache

    class Kept(BytecodeCache):
        def load_bytecode(self, bucket: Bucket) -> None:
            bucket.code = _CODES.get((bucket.key, bucket.checksum))

        def dump_bytecode(self, bucket: Bucket) -> None:
            if isinstance(bucket.code, CodeType):
                _CODES[(bucket.key, bucket.checksum)] = bucket.code

    env.bytecode_cache = Kept()


_CODES: dict[tuple[str, str], CodeType] = {}
