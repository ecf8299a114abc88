"""A copy of the checkout, and the containers it starts: apart from whatever else this machine's engine runs."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import httpx

T = TypeVar("T")

CHECKOUT = Path(__file__).resolve().parents[2]
BASE_IMAGE = "python:3.13-slim"
SERVICES = ("ai", "observer")
DECOY = "decoy-that-must-not-enter-an-image"
PASSED_ON = ("PATH", "HOME", "PIP_CONFIG_FILE", "DOCKER_", "BUILDKIT_", "BUILDX_", "XDG_", "TMPDIR")


def ensure_engine() -> None:
    """An engine with the base image; where there is none, DOCKER_HOST_SCRIPT makes one. Fails, saying what to do."""
    if _works("docker", "info") and _works("docker", "image", "inspect", BASE_IMAGE):
        return
    script = Path(os.environ.get("DOCKER_HOST_SCRIPT") or CHECKOUT.parent / "shared" / "bin" / "docker-host")
    if script.exists():
        run(str(script), timeout_s=600)
    elif not _works("docker", "info"):
        raise AssertionError("No Docker engine answers. Start one, or name a script that does in DOCKER_HOST_SCRIPT.")


def run(*command: str, cwd: Path | None = None, env: dict[str, str] | None = None, timeout_s: float = 60) -> str:
    """What `command` prints. Fails with everything it said when it fails."""
    done = subprocess.run(
        command, cwd=cwd, env=env, timeout=timeout_s, capture_output=True, text=True, encoding="utf-8", check=False
    )
    if done.returncode:
        raise AssertionError(
            f"{' '.join(command)} exited {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-4000:]}"
        )
    return done.stdout


class House:
    """One Compose project under a name and a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.project = f"alive-test-{uuid.uuid4().hex[:8]}"
        self.port = _free_port()
        self._env = {name: value for name, value in os.environ.items() if name.startswith(PASSED_ON)}
        self._env |= {"OBSERVER_PORT": str(self.port)}
        _copy_checkout(folder)

    def compose(self, *arguments: str, timeout_s: float = 60) -> str:
        command = ("docker", "compose", "--ansi", "never", "-p", self.project, *arguments)
        return run(*command, cwd=self.folder, env=self._env, timeout_s=timeout_s)

    def build(self) -> None:
        """Build the images out of a folder with secrets lying about, and take those away again."""
        decoys = [
            self.folder / name
            for name in (".env", ".env.local", "vault/credentials.json", "vault/old/x.json", "ai/.env", "data/alive.db")
        ]
        for file in decoys:
            file.parent.mkdir(exist_ok=True)
            file.write_text(f"# {DECOY}\n")
        self.compose("build", timeout_s=1200)
        for file in decoys:
            file.unlink()

    def up(self) -> None:
        self.compose("up", "--detach", "--no-build")

    def tear_down(self) -> None:
        self.compose("down", "--volumes", "--rmi", "local", "--remove-orphans", timeout_s=120)

    def exec(self, service: str, *command: str) -> str:
        return self.compose("exec", "-T", service, *command)

    def logs(self, service: str) -> list[str]:
        """The lines of a service's log, without Compose's own decoration."""
        text = self.compose("logs", "--no-log-prefix", "--no-color", service)
        return [line.removeprefix("\x1b[2K") for line in text.splitlines()]

    def inspect(self, service: str) -> dict[str, Any]:
        container = self.compose("ps", "--all", "--quiet", service).strip()
        inspected: list[dict[str, Any]] = json.loads(run("docker", "inspect", container))
        return inspected[0]

    def image_size(self, image: str) -> int:
        return int(run("docker", "image", "inspect", "--format", "{{.Size}}", image))

    def being_pid(self) -> int:
        """The process id of the being itself, not of the init before it, as the host counts."""
        top = run("docker", "top", self.inspect("ai")["Id"], "-eo", "pid,args").splitlines()[1:]
        (pid,) = [line.split()[0] for line in top if line.endswith("alive run") and "init" not in line.split()[1]]
        return int(pid)

    def signal_on_host(self, pid: int, name: str) -> None:
        """Send a signal to a process of the host. The same user in the host's process space needs no privilege."""
        python = f"import os, signal; os.kill({pid}, signal.{name})"
        image = self.inspect("ai")["Image"]
        run(
            "docker", "run", "--rm", "--pid", "host", "--network", "none", "--entrypoint", "python", image, "-c", python
        )

    def get(self, path: str) -> Any:
        """What the page answers, or None while it does not."""
        try:
            answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", timeout=5, trust_env=False)
        except httpx.TransportError:
            return None
        return answer.json() if answer.status_code == httpx.codes.OK else None

    def ledger(self) -> list[dict[str, Any]]:
        """Every entry of the books, oldest first."""
        entries: list[dict[str, Any]] = json.loads(self.exec("ai", "alive", "ledger", "--json", "--limit", "1000"))
        return entries[::-1]

    def healthy(self, service: str) -> bool:
        return bool(self.inspect(service)["State"].get("Health", {}).get("Status") == "healthy")

    def wait_until_healthy(self) -> None:
        self.wait_for("both containers to be healthy", lambda: all(map(self.healthy, SERVICES)), 90)

    def wait_for(self, what: str, look: Callable[[], T], deadline_s: float) -> T:
        """The first true answer of `look`. Fails at the deadline with the last words of both containers."""
        end = time.monotonic() + deadline_s
        while time.monotonic() < end:
            if found := look():
                return found
            time.sleep(0.3)
        raise AssertionError(f"Waited {deadline_s:g} s for {what}, in vain.\n{self.last_words()}")

    def last_words(self) -> str:
        health = {service: self.inspect(service)["State"] for service in SERVICES}
        logs = self.compose("logs", "--no-color", "--tail", "25")
        return f"{json.dumps(health, indent=1)[-3000:]}\n{logs[-6000:]}"


def _copy_checkout(folder: Path) -> None:
    """Only what a build may see, so that no `.env`, no credentials and no life of the developer's takes part."""
    for name in ("ai", "observer", "deploy"):
        shutil.copytree(CHECKOUT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".env*"))
    (folder / "vault").mkdir()
    for pattern in ("*.py", "README.md", "credentials.example.json"):
        for file in (CHECKOUT / "vault").glob(pattern):
            shutil.copy(file, folder / "vault")
    names = ("Dockerfile", "docker-compose.yml", ".dockerignore", "pyproject.toml", "README.md", "LICENSE")
    for file in (*(CHECKOUT / name for name in names), *CHECKOUT.glob("requirements*.txt")):
        shutil.copy(file, folder)


def _works(*command: str) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    except FileNotFoundError:
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
