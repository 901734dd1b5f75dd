#!/usr/bin/env python3
"""Checks the container image: image_test.py IMAGE_TAR BUILD_IMAGE UMOCI."""

import gzip
import hashlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import tempfile
import unittest

IMAGE, BUILD_IMAGE, UMOCI = (os.path.abspath(arg) for arg in sys.argv[1:4])
EPOCH = "1970-01-01T00:00:00Z"
# The compressed size and the size on disk.
MOST_PACKED_BYTES = 10_000_000
MOST_UNPACKED_BYTES = 22_000_000


def members(tar_bytes):
    """{name: (TarInfo, content)}"""
    with tarfile.open(fileobj=io.BytesIO(tar_bytes)) as tar:
        return {info.name: (info, tar.extractfile(info).read()
                            if info.isfile() else None)
                for info in tar.getmembers()}


class ImageTest(unittest.TestCase):

    @classmethod
    def setUpClass(cls):
        cls.archive = pathlib.Path(IMAGE).read_bytes()
        cls.layout = members(cls.archive)
        cls.index = json.loads(cls.file("index.json"))
        cls.manifest = json.loads(cls.blob(cls.index["manifests"][0]))
        cls.config = json.loads(cls.blob(cls.manifest["config"]))
        cls.layer = gzip.decompress(cls.blob(cls.manifest["layers"][0]))
        cls.files = members(cls.layer)
        scratch = tempfile.TemporaryDirectory()
        cls.addClassCleanup(scratch.cleanup)
        cls.scratch = pathlib.Path(scratch.name)
        cls.echod = cls.scratch / "echod"
        cls.echod.write_bytes(cls.files["echod"][1])
        cls.echod.chmod(0o755)

    @classmethod
    def file(cls, name):
        return cls.layout[name][1]

    @classmethod
    def blob(cls, descriptor):
        """Returns the blob of a descriptor after checking its size and digest."""
        content = cls.file("blobs/" + descriptor["digest"].replace(":", "/"))
        assert len(content) == descriptor["size"], descriptor
        assert "sha256:" + hashlib.sha256(content).hexdigest() == \
            descriptor["digest"], descriptor
        return content

    def says(self):
        """{field: value} of --version."""
        # In an empty environment, as in the container.
        answer = subprocess.run([self.echod, "--version"], env={}, check=True,
                                stdout=subprocess.PIPE, text=True).stdout
        first, *rest = answer.splitlines()
        name, version = first.split()
        self.assertEqual(name, "echod")
        return {"version": version, **dict(line.split(": ") for line in rest)}

    def stamp(self):
        """(revision, time of the commit or None) of the program."""
        says = self.says()
        if "date" not in says:
            self.assertRegex(says["commit"], "^not recorded; ")
            return "unknown", None
        # Only the stamped image's test gets here.
        self.assertRegex(says["commit"], "^(unknown|[0-9a-f]{40}(-dirty)?)$")
        self.assertIn("-dirty" if "dirty" in says["commit"] else "",
                      says["version"])
        return (says["commit"],
                None if says["date"] == "unknown" else says["date"])

    def test_layout_holds_one_image_and_nothing_else(self):
        self.assertEqual(json.loads(self.file("oci-layout")),
                         {"imageLayoutVersion": "1.0.0"})
        self.assertEqual(len(self.index["manifests"]), 1)
        self.assertEqual(len(self.manifest["layers"]), 1)
        referenced = {descriptor["digest"] for descriptor in
                      [self.index["manifests"][0], self.manifest["config"],
                       *self.manifest["layers"]]}
        present = {"sha256:" + name.rpartition("/")[2]
                   for name, (info, _) in self.layout.items()
                   if name.startswith("blobs/") and info.isfile()}
        self.assertEqual(present, referenced)
        self.assertEqual(
            self.config["rootfs"]["diff_ids"],
            ["sha256:" + hashlib.sha256(self.layer).hexdigest()])

    def test_name_says_the_release(self):
        release = re.match("[0-9]+[.][0-9]+[.][0-9]+", self.says()["version"])
        name = f"echod:{release[0]}"
        self.assertEqual(
            self.index["manifests"][0]["annotations"],
            {"org.opencontainers.image.ref.name": name,
             # The name that the kubelet derives from `image: echod:…`.
             "io.containerd.image.name": f"docker.io/library/{name}"})
        [docker] = json.loads(self.file("manifest.json"))
        self.assertEqual(docker["RepoTags"], [name])
        self.assertIn(docker["Config"], self.layout)
        self.assertLessEqual(set(docker["Layers"]), set(self.layout))

    def test_config(self):
        self.assertEqual(self.config["os"], "linux")
        config = self.config["config"]
        labels = config.pop("Labels")
        self.assertEqual(config, {
            "User": "65532:65532",
            # No Cmd: by default the admin service listens on loopback only.
            "Entrypoint": ["/echod"],
            "ExposedPorts": {"8080/tcp": {}, "9901/tcp": {}, "9902/tcp": {}},
            "StopSignal": "SIGTERM",
            "WorkingDir": "/",
        })
        # Registries show annotations; `podman inspect` shows labels.
        self.assertEqual(labels, self.manifest["annotations"])
        revision, created = self.stamp()
        expected = {
            "title": "echod",
            "description": "TCP echo server with a gRPC admin service",
            "licenses": "Apache-2.0",
            "version": self.says()["version"],
            "revision": revision,
        }
        if created:
            expected["created"] = created
        if re.fullmatch("[0-9a-f]{40}", revision):
            expected["source"] = f"swh:1:rev:{revision}"
        self.assertEqual(labels, {f"org.opencontainers.image.{name}": value
                                  for name, value in expected.items()})

    def test_files(self):
        self.assertEqual(
            {name: oct(info.mode) for name, (info, _) in self.files.items()},
            {"echod": "0o755", "etc": "0o755", "etc/group": "0o644",
             "etc/passwd": "0o644"})
        self.assertEqual(self.files["etc/passwd"][1],
                         b"nonroot:x:65532:65532:nonroot:/:/sbin/nologin\n")
        self.assertEqual(self.files["etc/group"][1], b"nonroot:x:65532:\n")

    def test_size(self):
        self.assertLess(len(self.archive), MOST_PACKED_BYTES)
        self.assertLess(len(self.layer), MOST_UNPACKED_BYTES)

    def test_binary_needs_nothing(self):
        def readelf(option):
            return subprocess.run(["readelf", "--wide", option, self.echod],
                                  check=True, stdout=subprocess.PIPE,
                                  text=True).stdout

        self.assertNotIn("INTERP", readelf("--segments"))
        dynamic = readelf("--dynamic")
        self.assertNotIn("(NEEDED)", dynamic)
        self.assertIn("PIE", dynamic)  # so address randomization works
        self.assertNotIn(".symtab", readelf("--sections"))  # stripped

    def test_nothing_tells_who_built_it_or_when(self):
        for info, _ in [*self.layout.values(), *self.files.values()]:
            self.assertEqual(
                (info.mtime, info.uid, info.gid, info.uname, info.gname),
                (0, 0, 0, "", ""), info.name)
        for names in (self.layout, self.files):
            self.assertEqual(list(names), sorted(names))
        _, created = self.stamp()
        self.assertEqual(self.config["created"], created or EPOCH)
        self.assertEqual([step["created"] for step in self.config["history"]],
                         [created or EPOCH])
        self.assertNotIn("author", self.config)

    def test_built_again_it_is_the_same(self):
        etc = self.scratch / "etc"
        etc.mkdir()
        for name in ("passwd", "group"):
            (etc / name).write_bytes(self.files[f"etc/{name}"][1])
        again = self.scratch / "again.tar"
        # With another path, time, time zone, file order and file modes.
        self.echod.chmod(0o700)
        subprocess.run(
            [BUILD_IMAGE, f"--umoci={UMOCI}", f"--binary={self.echod}",
             f"--output={again}", "--etc", etc / "passwd", etc / "group"],
            env={**os.environ, "TZ": "Asia/Tokyo"}, check=True)
        self.assertEqual(hashlib.sha256(again.read_bytes()).hexdigest(),
                         hashlib.sha256(self.archive).hexdigest())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
