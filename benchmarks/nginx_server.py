"""nginx with one worker and no access log, serving a folder."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from tests.support.ports import free_port
from tests.support.waiting import eventually


@asynccontextmanager
async def nginx(folder: Path, www: Path) -> AsyncIterator[str]:
    """Serve ``www`` until the context ends; yield the base URL. ``folder`` is for what nginx writes."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    user = "user root; " if os.geteuid() == 0 else ""  # workers would be nobody, who may not read a private folder
    (folder / "nginx.conf").write_text(
        f"{user}worker_processes 1; daemon off; pid {folder}/pid; error_log stderr warn; events {{}}\n"
        "http { access_log off; sendfile on; keepalive_requests 1000000000; open_file_cache max=10000;\n"
        "types { text/html html; application/json json; text/css css; application/javascript js; }\n"
        f"client_body_temp_path {folder}; proxy_temp_path {folder}; fastcgi_temp_path {folder};\n"
        f"uwsgi_temp_path {folder}; scgi_temp_path {folder};\n"
        f"server {{ listen 127.0.0.1:{port}; root {www}; }} }}\n"
    )
    process = await asyncio.create_subprocess_exec("nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"))
    try:
        await eventually(lambda: _listens(port), timeout_seconds=10, what="nginx serves")
        yield f"http://127.0.0.1:{port}"
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _listens(port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection("127.0.0.1", port)
    except OSError:
        return False
    writer.close()
    return True
