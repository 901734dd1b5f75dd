#!/usr/bin/env python3
"""Checks the container image and its SBOM.

Usage: image_test.py IMAGE_TAR BUILD_IMAGE UMOCI SBOM LINK_MAP
"""

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

IMAGE, BUILD_IMAGE, UMOCI, SBOM, MAP = map(os.path.abspath, sys.argv[1:6])
EPOCH = "1970-01-01T00:00:00Z"
# The compressed size and the size on disk.
# Debian 12: 8.4 and 19 MB. Debian testing: 10.6 and 25 MB.
MOST_PACKED_BYTES = 12_000_000
MOST_UNPACKED_BYTES = 27_000_000


def members(tar_bytes):
    """{name: (TarInfo, content)}"""
    with tarfile.open(fileobj=io.BytesIO(tar_bytes)) as tar:
        return {info.name: (info, tar.extractfile(info).read()
                            if info.isfile() else None)
                for info in tar.getmembers()}


class Image(unittest.TestCase):
    """Reads the image."""

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


class ImageTest(Image):

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
            "documentation": "file:///usr/share/doc/echod/README.md",
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
        modes = {name: oct(info.mode) for name, (info, _) in self.files.items()}
        licenses = {name for name in modes if re.fullmatch(
            "usr/share/(doc/[^/]+/copyright|common-licenses/[^/]+)", name)}
        files = {"echod", "etc/group", "etc/passwd",
                 "usr/share/doc/echod/README.md",
                 "var/lib/db/sbom/echod.spdx.json", *licenses}
        folders = {str(folder) for name in files
                   for folder in pathlib.PurePath(name).parents} - {"."}
        self.assertEqual(modes, {
            **{name: "0o644" for name in files}, "echod": "0o755",
            **{name: "0o755" for name in folders}})
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
        for name, (info, content) in self.files.items():
            if info.isfile():
                path = self.scratch / "root" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
        share = self.scratch / "root/usr/share"
        licenses = self.scratch / "licenses.tar"
        with tarfile.open(licenses, "w") as tar:
            for path in sorted(share.glob("**/*"), reverse=True):
                if path.is_file() and path.parent.name != "echod":
                    tar.add(path, f"usr/share/{path.relative_to(share)}")
        again = self.scratch / "again.tar"
        # With another path, time, time zone, file order and file modes.
        self.echod.chmod(0o700)
        subprocess.run(
            [BUILD_IMAGE, f"--umoci={UMOCI}", f"--binary={self.echod}",
             f"--output={again}", f"--root={self.scratch / 'again_root.tar'}",
             f"--license={share / 'doc/echod/copyright'}",
             f"--sbom={SBOM}", f"--licenses={licenses}",
             "--doc", share / "doc/echod/README.md",
             "--etc", self.scratch / "root/etc/passwd",
             self.scratch / "root/etc/group"],
            env={**os.environ, "TZ": "Asia/Tokyo"}, check=True)
        self.assertEqual(hashlib.sha256(again.read_bytes()).hexdigest(),
                         hashlib.sha256(self.archive).hexdigest())


class SbomTest(Image):
    """Structure; .ci/check_sbom has the validator of SPDX check the format."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.sbom = json.loads(pathlib.Path(SBOM).read_text())
        cls.packages = {each["name"]: each for each in cls.sbom["packages"]}

    def related(self, kind):
        """The names of what echod has this relationship with."""
        names = {each["SPDXID"]: name for name, each in self.packages.items()}
        return {names[each["relatedSpdxElement"]]
                for each in self.sbom["relationships"]
                if each["spdxElementId"] == "SPDXRef-echod" and
                each["relationshipType"] == kind}

    def test_the_image_has_it_too(self):
        self.assertEqual(self.files["var/lib/db/sbom/echod.spdx.json"][1].decode(),
                         pathlib.Path(SBOM).read_text())

    def test_it_describes_this_program(self):
        self.assertEqual(self.sbom["spdxVersion"], "SPDX-2.3")
        says = self.says()
        _, created = self.stamp()
        self.assertEqual(self.sbom["creationInfo"]["created"], created or EPOCH)
        echod = self.packages["echod"]
        self.assertEqual(echod["versionInfo"], says["version"])
        self.assertEqual(echod["sourceInfo"], f"commit {says['commit']}")
        self.assertIn({"spdxElementId": "SPDXRef-DOCUMENT",
                       "relationshipType": "DESCRIBES",
                       "relatedSpdxElement": "SPDXRef-echod"},
                      self.sbom["relationships"])

    def test_every_archive_that_the_linker_took_something_from_is_listed(self):
        # Another part of the map than build_sbom.py reads: the reasons for which
        # members of archives were included, and the objects on the command line.
        text = pathlib.Path(MAP).read_text(errors="replace")
        reasons, _, rest = text.partition("\nDiscarded input sections\n")
        files = set(re.findall(r"^(/[^(\n]+[.]a)\(", reasons, re.MULTILINE))
        files |= set(re.findall(r"^LOAD (/.+[.]o)$", rest, re.MULTILINE))
        self.assertGreater(len(files), 50)
        found = subprocess.run(
            ["dpkg-query", "--search", *map(os.path.normpath, files)], text=True,
            stdout=subprocess.PIPE, check=True).stdout.splitlines()
        expected = {re.match("[^:,]+", line)[0] for line in found}
        self.assertIn("libgrpc++-dev", expected)
        self.assertEqual(expected, self.related("STATIC_LINK"))

    def test_what_the_program_says_it_has_is_listed(self):
        versions = {name: each["versionInfo"].split(":")[-1]
                    for name, each in self.packages.items()}
        says = self.says()
        for library, package in {
                "libevent": "libevent-dev", "gRPC": "libgrpc++-dev",
                "protobuf": "libprotobuf-dev", "Abseil": "libabsl-dev",
                "libyaml": "libyaml-dev", "spdlog": "libspdlog-dev"}.items():
            self.assertTrue(versions[package].startswith(says[library]),
                            f"{package} {versions[package]}, {says[library]}")

    def test_libraries_of_headers_are_listed(self):
        self.assertLessEqual({"libspdlog-dev", "libfmt-dev", "nlohmann-json3-dev",
                              "prometheus-cpp-dev"}, self.related("CONTAINS"))
        # Those of tests are not.
        for name in self.packages:
            self.assertNotRegex(name, "gtest|gmock|benchmark")

    def test_packages_say_what_they_are(self):
        defined = {each["licenseId"]
                   for each in self.sbom["hasExtractedLicensingInfos"]}
        for each in self.sbom["hasExtractedLicensingInfos"]:
            self.assertTrue(each["extractedText"].strip(), each["licenseId"])
        for name, each in self.packages.items():
            self.assertTrue(each["versionInfo"], name)
            self.assertTrue(each["licenseDeclared"], name)
            self.assertLessEqual(
                set(re.findall("LicenseRef-[A-Za-z0-9.-]+",
                               each["licenseDeclared"])), defined, name)
            [reference] = each["externalRefs"]
            if name != "echod":
                self.assertRegex(reference["referenceLocator"],
                                 "^pkg:deb/debian/[^@]+@[^?]+[?]arch=[a-z0-9]+"
                                 "&distro=debian(-[0-9]+)?$")
                self.assertRegex(each["sourceInfo"], " [a-z0-9.+-]+ [0-9]")

    def test_the_image_has_every_license(self):
        texts = {name.split("/")[3]: content
                 for name, (_, content) in self.files.items()
                 if name.endswith("/copyright")}
        self.assertEqual(set(texts), set(self.packages))
        for package, text in texts.items():
            for name in re.findall(rb"/usr/share/common-licenses/([A-Za-z0-9.+-]+)",
                                   text):
                name = name.decode().rstrip(".")
                if os.path.exists(f"/usr/share/common-licenses/{name}"):
                    self.assertIn(f"usr/share/common-licenses/{name}", self.files,
                                  package)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
