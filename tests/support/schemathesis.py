"""schemathesis against a running server: answers that the server's own OpenAPI document doesn't describe are found."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

_SECONDS = 110


async def tried(document: dict[str, Any], url: str, *, configuration: str, folder: Path, examples: int) -> str:
    """What it found, empty if nothing; the examples are the same every time."""
    (folder / "openapi.json").write_text(json.dumps(document))
    (folder / "schemathesis.toml").write_text(configuration)
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", "schemathesis.toml", "run"]
    command += ["openapi.json", "--url", url, "--max-examples", str(examples), "--seed", "1"]
    command += ["--generation-deterministic", "--phases", "examples,coverage,fuzzing", "--no-color"]
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), _SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    return said.decode() if process.returncode else ""
