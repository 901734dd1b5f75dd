#!/usr/bin/env python3
"""Tests workspace_status.sh and build_stamp.py, on trees of its own.

Usage: workspace_status_test.py WORKSPACE_STATUS_SH BUILD_STAMP_PY
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

STATUS, STAMP = (os.path.abspath(arg) for arg in sys.argv[1:3])
TIME = "1795668242"  # 2026-11-26T04:44:02Z


class WorkspaceStatusTest(unittest.TestCase):

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.tree = pathlib.Path(scratch.name).resolve() / "tree"
        self.make(self.tree)

    def make(self, tree):
        (tree / "bazel").mkdir(parents=True)
        shutil.copy(STATUS, tree / "bazel")
        (tree / "main.cc").write_text("int main() {}\n")

    def git(self, *command):
        return subprocess.run(
            ["git", "-c", "user.name=A", "-c", "user.email=a@example.com",
             "-c", "commit.gpgsign=false", *command],
            cwd=self.tree, check=True, stdout=subprocess.PIPE, text=True,
            env={**self.env(), "GIT_AUTHOR_DATE": f"{TIME} +0000",
                 "GIT_COMMITTER_DATE": f"{TIME} +0000"}).stdout.strip()

    def env(self, **more):
        return {"PATH": os.environ["PATH"], "HOME": str(self.tree.parent), **more}

    def commit(self):
        self.git("init", "--quiet")
        self.git("add", ".")
        self.git("commit", "--quiet", "--message=first")
        return self.git("rev-parse", "HEAD")

    def status(self, tree=None, **env):
        """The script's output; it runs in another folder, as it may."""
        lines = subprocess.run(
            [(tree or self.tree) / "bazel/workspace_status.sh"], cwd="/",
            check=True, stdout=subprocess.PIPE, text=True,
            env=self.env(**env)).stdout
        return dict(line.split(" ", 1) for line in lines.splitlines())

    def test_a_commit(self):
        head = self.commit()
        self.assertEqual(self.status(), {
            "STABLE_ECHOD_COMMIT": head,
            "STABLE_ECHOD_COMMIT_TIME": TIME,
            "STABLE_ECHOD_TAGS": "",
        })

    def test_tags_that_are_versions(self):
        self.commit()
        self.git("tag", "v0.1.0")
        self.git("tag", "nightly")
        self.assertEqual(self.status()["STABLE_ECHOD_TAGS"].split(), ["v0.1.0"])
        (self.tree / "main.cc").write_text("int main() { return 1; }\n")
        self.git("commit", "--quiet", "--all", "--message=second")
        self.assertEqual(self.status()["STABLE_ECHOD_TAGS"].split(), [])

    def test_changes(self):
        head = self.commit()
        (self.tree / "new.cc").write_text("// untracked\n")
        self.assertEqual(self.status()["STABLE_ECHOD_COMMIT"], f"{head}-dirty")
        (self.tree / "new.cc").unlink()
        (self.tree / "main.cc").write_text("int main() { return 1; }\n")
        self.assertEqual(self.status()["STABLE_ECHOD_COMMIT"], f"{head}-dirty")

    def test_a_tree_without_git(self):
        self.assertEqual(self.status(), {
            "STABLE_ECHOD_COMMIT": "unknown",
            "STABLE_ECHOD_COMMIT_TIME": "unknown",
            "STABLE_ECHOD_TAGS": "",
        })
        self.assertEqual(
            self.status(SOURCE_DATE_EPOCH="17")["STABLE_ECHOD_COMMIT_TIME"], "17")

    def test_a_tree_inside_the_repository_of_something_else(self):
        self.commit()
        inner = self.tree / "third_party/echod"
        self.make(inner)
        self.assertEqual(self.status(inner)["STABLE_ECHOD_COMMIT"], "unknown")

    def test_a_repository_without_commits(self):
        self.git("init", "--quiet")
        self.assertEqual(self.status()["STABLE_ECHOD_COMMIT"], "unknown")


class BuildStampTest(unittest.TestCase):

    def stamp(self, **values):
        with tempfile.TemporaryDirectory() as scratch:
            status = pathlib.Path(scratch, "status.txt")
            status.write_text("BUILD_USER somebody\n" + "".join(
                f"STABLE_ECHOD_{key} {value}\n" for key, value in values.items()))
            out = pathlib.Path(scratch, "stamp.cc")
            subprocess.run([STAMP, status, out], check=True)
            return out.read_text()

    def test_has_the_commit_and_nothing_of_the_builder(self):
        text = self.stamp(COMMIT="0123-dirty", COMMIT_TIME=TIME, TAGS='v1 v"2 ')
        self.assertIn('.commit = "0123-dirty"', text)
        self.assertIn('.time = "2026-11-26T04:44:02Z"', text)
        self.assertIn('.tags = "v1 v?2"', text)
        self.assertNotIn("somebody", text)

    def test_without_a_status_command(self):
        text = self.stamp()
        self.assertIn('.commit = "unknown"', text)
        self.assertIn('.time = "unknown"', text)


if __name__ == "__main__":
    if not shutil.which("git"):
        sys.exit("needs git: apt-get install git")
    unittest.main(argv=sys.argv[:1])
