"""Real git repositories on disk, made without the configuration of whoever runs the tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

GIT_ENVIRONMENT: Mapping[str, str] = {
    "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
    "HOME": "/nonexistent",
    "LC_ALL": "C",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Author",
    "GIT_AUTHOR_EMAIL": "author@example.com",
    "GIT_COMMITTER_NAME": "Author",
    "GIT_COMMITTER_EMAIL": "author@example.com",
    "GIT_AUTHOR_DATE": "1700000000 +0000",
    "GIT_COMMITTER_DATE": "1700000000 +0000",
}

Tree = Mapping[str, str | bytes]
LINK, FOLDER, SUBMODULE = "120000", "040000", "160000"


class GitRepository:
    """A bare repository. Commits are made of whole trees, without a checkout."""

    def __init__(self, folder: Path, *, filters: bool = True, branch: str = "main") -> None:
        """``filters`` is whether the server lets clients fetch without blobs, as the large hosts do."""
        self.folder = folder
        folder.mkdir(parents=True)
        self.git("init", "--bare", "--quiet", f"--initial-branch={branch}", str(folder))
        self.git("config", "uploadpack.allowFilter", str(filters).lower())
        self.git("config", "uploadpack.allowAnySHA1InWant", "true")

    def git(self, *arguments: str, content: bytes = b"") -> str:
        """Run git in the repository and return what it prints."""
        done = subprocess.run(
            ["git", *arguments],
            input=content,
            cwd=self.folder,
            env=GIT_ENVIRONMENT,
            capture_output=True,
            check=False,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode().strip()

    def blob(self, content: str | bytes) -> str:
        """Store a blob and return its id."""
        raw = content.encode() if isinstance(content, str) else content
        return self.git("hash-object", "-w", "--stdin", content=raw)

    def tree(self, files: Tree, *, links: Mapping[str, str] | None = None) -> str:
        """Store a tree of regular files and links, by path, and return its id."""
        lines = [f"100644 {self.blob(content)}\t{path}" for path, content in files.items()]
        lines += [f"{LINK} {self.blob(target)}\t{path}" for path, target in (links or {}).items()]
        index = {**GIT_ENVIRONMENT, "GIT_INDEX_FILE": str(self.folder / "test-index")}
        (self.folder / "test-index").unlink(missing_ok=True)
        subprocess.run(
            ["git", "update-index", "--add", "--index-info"],
            input="\n".join(lines).encode() + b"\n",
            cwd=self.folder,
            env=index,
            check=True,
            timeout=60,
        )
        done = subprocess.run(
            ["git", "write-tree"], cwd=self.folder, env=index, capture_output=True, check=True, timeout=60
        )
        return done.stdout.decode().strip()

    def raw_tree(self, *entries: tuple[str, str, str]) -> str:
        """Store a tree as it stands, (mode, name, id) each, also one that git itself would not write."""
        content = b"".join(
            f"{mode.lstrip('0')} {name}".encode() + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries
        )
        return self.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", content=content)

    def commit_tree(self, tree: str, *, branch: str = "main", message: str = "change") -> str:
        """Make a commit on a branch and return its id."""
        known = self.git("for-each-ref", f"refs/heads/{branch}", "--format=%(objectname)")
        parents = ("-p", known) if known else ()
        commit = self.git("commit-tree", tree, *parents, "-m", message)
        self.git("update-ref", f"refs/heads/{branch}", commit)
        return commit

    def commit(self, files: Tree, *, branch: str = "main", links: Mapping[str, str] | None = None) -> str:
        """Commit files (all of the tree) to a branch and return the commit."""
        return self.commit_tree(self.tree(files, links=links), branch=branch)
