#!/usr/bin/env python3
"""Writes what is in a static binary: an SBOM (SPDX 2.3) and a tarball of licenses.

Nothing is listed by hand. The linker's map says which archives and objects the
binary has parts of; the sources' includes say which headers were compiled in; and
dpkg says which packages these belong to.
"""

import argparse
import hashlib
import io
import json
import logging
import os
import pathlib
import re
import subprocess
import sys
import tarfile
import uuid

from debian.copyright import Copyright, MachineReadableFormatError
from debian.copyright import NotMachineReadableError

EPOCH = "1970-01-01T00:00:00Z"
INCLUDE_FOLDERS = ["/usr/include"]
COMMON_LICENSES = "/usr/share/common-licenses/"
FIELDS = ("Package", "Architecture", "Version", "source:Package",
          "source:Version", "Maintainer", "Homepage")
# Names of licenses in Debian's copyright files whose SPDX identifiers differ:
# https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
SPDX = {
    "apache-2.0": "Apache-2.0", "apache-2": "Apache-2.0", "expat": "MIT",
    "mit": "MIT", "isc": "ISC", "zlib": "Zlib", "openssl": "OpenSSL",
    "bsd-2-clause": "BSD-2-Clause", "bsd-3-clause": "BSD-3-Clause",
    "bsl-1.0": "BSL-1.0", "boost-1.0": "BSL-1.0", "cc0-1.0": "CC0-1.0",
    "mpl-2.0": "MPL-2.0", "artistic": "Artistic-1.0-Perl",
    "gpl-1": "GPL-1.0-only", "gpl-1+": "GPL-1.0-or-later",
    "gpl-2": "GPL-2.0-only", "gpl-2+": "GPL-2.0-or-later",
    "gpl-3": "GPL-3.0-only", "gpl-3+": "GPL-3.0-or-later",
    "lgpl-2": "LGPL-2.0-only", "lgpl-2+": "LGPL-2.0-or-later",
    "lgpl-2.1": "LGPL-2.1-only", "lgpl-2.1+": "LGPL-2.1-or-later",
    "lgpl-3": "LGPL-3.0-only", "lgpl-3+": "LGPL-3.0-or-later",
}
ECHOD = "SPDXRef-echod"


def linked_files(map_text):
    """The system's archives and objects that the linked program has parts of."""
    # Before this are the sections that --gc-sections has left out.
    _, found, memory = map_text.partition("\nLinker script and memory map\n")
    if not found:
        sys.exit("the linker's map has no memory map; is it ld.bfd's?")
    parts = re.findall(r"0x[0-9a-f]+ +0x([0-9a-f]+) (/[^(\n]+\.[ao])(?:\(|$)",
                       memory, re.MULTILINE)
    return sorted({os.path.normpath(path) for size, path in parts
                   if int(size, 16)})


def multiarch_folder():
    triple = subprocess.run(["gcc", "-print-multiarch"], check=True,
                            stdout=subprocess.PIPE, text=True).stdout.strip()
    return f"/usr/include/{triple}"


def included_headers(sources):
    """The headers in /usr/include that the sources include, also indirectly.

    Conditions are not looked at, so there can be too many, but never too few. The
    standard library's own headers are elsewhere.
    """
    folders = [*INCLUDE_FOLDERS, multiarch_folder()]
    headers, unread = set(), list(sources)
    while unread:
        path = pathlib.Path(unread.pop())
        for name in re.findall(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]',
                               path.read_text(errors="replace"), re.MULTILINE):
            beside = [str(path.parent)] if str(path) in headers else []
            for folder in [*beside, *folders]:
                header = os.path.normpath(f"{folder}/{name}")
                if os.path.isfile(header):
                    if header not in headers:
                        headers.add(header)
                        unread.append(header)
                    break
    return sorted(headers)


def dpkg_query(*arguments):
    try:
        return subprocess.run(["dpkg-query", *arguments], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                              check=False).stdout
    except FileNotFoundError:
        sys.exit("the SBOM needs dpkg's database: build the image on Debian, or with "
                 "deploy/Containerfile")


def owners(paths):
    """{path: name of the package that has it, with its architecture}"""
    # A package may call /usr/lib/x /lib/x, which has been a link to it since.
    names = {}
    for path in paths:
        for name in (path, path.removeprefix("/usr"), os.path.realpath(path)):
            names.setdefault(name, []).append(path)
    result = {}
    for line in dpkg_query("--search", *names).splitlines():
        package, _, name = line.rpartition(": ")
        if package.startswith("diversion by"):
            continue
        for path in names.get(name, []):
            result.setdefault(path, package.split(", ")[0])
    return result


def packages_of(paths):
    """The packages that have the files; fails if no package has one of them."""
    paths = list(paths)
    owned = owners(paths)
    unknown = [path for path in paths if path not in owned]
    if unknown:
        sys.exit(f"no package has {', '.join(unknown)}, so nobody knows its license: "
                 "install the package, or build without the file")
    return sorted(set(owned.values()))


def describe(packages):
    """[{field: value}] of installed packages, sorted by name."""
    form = "\\t".join(f"${{{field}}}" for field in FIELDS) + "\\n"
    lines = dpkg_query("--show", f"--showformat={form}", *packages).splitlines()
    return sorted((dict(zip(FIELDS, line.split("\t"))) for line in lines),
                  key=lambda package: package["Package"])


def copyright_of(package):
    path = pathlib.Path(f"/usr/share/doc/{package['Package']}/copyright")
    try:
        return path.read_text()
    except OSError as error:
        sys.exit(f"{path}: {error.strerror}; reinstall {package['Package']}, with its "
                 "documentation")


def spdx_id(text):
    return re.sub("[^A-Za-z0-9.-]+", "-", text).strip("-")


class Licenses:
    """SPDX expressions for copyright files, and the texts of what SPDX has not."""

    def __init__(self):
        self.texts = {}  # LicenseRef: text

    def _refer(self, name, text):
        reference = f"LicenseRef-{spdx_id(name)}"
        if self.texts.setdefault(reference, text) != text:
            # Two packages mean different texts.
            digest = hashlib.sha256(text.encode()).hexdigest()[:8]
            reference = f"{reference}-{digest}"
            self.texts[reference] = text
        return reference

    def declared(self, package, text):
        """The expression for all that a copyright file names."""
        try:
            document = Copyright(io.StringIO(text), strict=False)
            paragraphs = [each.license for each in document.all_files_paragraphs()]
        except (NotMachineReadableError, MachineReadableFormatError, ValueError):
            paragraphs = []
        if not paragraphs or None in paragraphs:
            return self._refer(f"{package['source:Package']}-copyright", text)
        texts = {each.license.synopsis: each.license.text
                 for each in document.all_license_paragraphs()}
        terms = set()
        for each in paragraphs:
            name = each.synopsis
            parts = re.split(r"\s+(and|or)\s+", name)
            known = [SPDX.get(part.lower()) for part in parts[::2]]
            if all(known):
                parts[::2] = known
                term = " ".join(part.upper() if part in ("and", "or") else part
                                for part in parts)
                terms.add(f"({term})" if len(parts) > 1 else term)
            else:
                terms.add(self._refer(
                    f"{package['source:Package']}-{name}",
                    each.text or texts.get(name) or text))
        return " AND ".join(sorted(terms))


def os_release():
    lines = pathlib.Path("/etc/os-release").read_text().splitlines()
    return {key: value.strip('"') for key, _, value in
            (line.partition("=") for line in lines)}


def purl(package, system):
    """https://github.com/package-url/purl-spec"""
    def quoted(text):
        return re.sub("[^A-Za-z0-9.~_-]", lambda m: f"%{ord(m[0]):02X}", text)

    vendor = system["ID"]
    distro = "-".join(filter(None, [vendor, system.get("VERSION_ID")]))
    return (f"pkg:deb/{vendor}/{quoted(package['Package'])}"
            f"@{quoted(package['Version'])}"
            f"?arch={package['Architecture']}&distro={distro}")


def package_entry(package, expression, system):
    entry = {
        "SPDXID": f"SPDXRef-{spdx_id(package['Package'])}",
        "name": package["Package"],
        "versionInfo": package["Version"],
        "supplier": f"Organization: {package['Maintainer']}",
        "sourceInfo": (f"built from the source package {package['source:Package']} "
                       f"{package['source:Version']}"),
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "NOASSERTION",
        "licenseDeclared": expression,
        "licenseComments": "All that the copyright file of the package names, also "
                           "for files that are not in the program.",
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER",
                          "referenceType": "purl",
                          "referenceLocator": purl(package, system)}],
    }
    if package["Homepage"]:
        entry["homepage"] = package["Homepage"]
    return entry


def echod_entry(says):
    return {
        "SPDXID": ECHOD,
        "name": "echod",
        "versionInfo": says["version"],
        "primaryPackagePurpose": "APPLICATION",
        "sourceInfo": f"commit {says['commit']}",
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "licenseConcluded": "Apache-2.0",
        "licenseDeclared": "Apache-2.0",
        "copyrightText": "NOASSERTION",
        "externalRefs": [{"referenceCategory": "PACKAGE-MANAGER",
                          "referenceType": "purl",
                          "referenceLocator":
                              f"pkg:generic/echod@{says['version']}"}],
    }


def document(says, packages, relations, licenses):
    body = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"echod-{says['version']}",
        "creationInfo": {
            "created": EPOCH if says.get("date", "unknown") == "unknown"
                       else says["date"],
            "creators": ["Tool: deploy/build_sbom.py"],
        },
        "packages": packages,
        "hasExtractedLicensingInfos": [
            {"licenseId": reference, "extractedText": text}
            for reference, text in sorted(licenses.texts.items())],
        "relationships": [
            {"spdxElementId": "SPDXRef-DOCUMENT", "relationshipType": "DESCRIBES",
             "relatedSpdxElement": ECHOD}, *relations],
    }
    # Unique for each content, and the same for the same.
    digest = hashlib.sha256(json.dumps(body).encode()).hexdigest()
    body["documentNamespace"] = uuid.uuid5(uuid.NAMESPACE_OID, digest).urn
    return body


def write_licenses(path, texts):
    """Writes {path in the image: text}."""
    with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as tar:
        for name, text in sorted(texts.items()):
            content = text.encode()
            info = tarfile.TarInfo(name)
            info.size = len(content)
            info.mode = 0o644
            tar.addfile(info, io.BytesIO(content))


def common_licenses(texts):
    """{path: text} of the common licenses that the texts refer to."""
    names = {name.rstrip(".") for text in texts
             for name in re.findall(COMMON_LICENSES + r"([A-Za-z0-9.+-]+)", text)}
    paths = [pathlib.Path(COMMON_LICENSES, name) for name in sorted(names)]
    return {str(path): path.read_text() for path in paths if path.is_file()}


def what_it_says(binary):
    """{field: value} of --version."""
    first, *rest = subprocess.run(
        [os.path.abspath(binary), "--version"], check=True,
        stdout=subprocess.PIPE, text=True).stdout.splitlines()
    return {**dict(line.split(": ", 1) for line in rest),
            "version": first.split()[1]}


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", required=True, help="whose --version to ask")
    parser.add_argument("--map", type=pathlib.Path, required=True,
                        help="the linker's map")
    parser.add_argument("--sources", type=pathlib.Path, required=True,
                        help="a file with the paths of the sources")
    parser.add_argument("--sbom", type=pathlib.Path, required=True, help="output")
    parser.add_argument("--licenses", type=pathlib.Path, required=True,
                        help="output, a tarball of files for the image")
    args = parser.parse_args()

    # Old copyright files have what the parser repairs.
    logging.getLogger("debian").setLevel(logging.ERROR)
    linked = packages_of(linked_files(args.map.read_text(errors="replace")))
    compiled = packages_of(included_headers(args.sources.read_text().split()))
    texts = {}
    described = describe({*linked, *compiled})
    for package in described:
        texts[package["Package"]] = copyright_of(package)
    shared = common_licenses(texts.values())
    copied = packages_of(shared) if shared else []
    for package in describe(copied):
        if package not in described:
            described.append(package)
            texts[package["Package"]] = copyright_of(package)
    shared.update(common_licenses(texts.values()))

    licenses = Licenses()
    system = os_release()
    entries, relations = [echod_entry(what_it_says(args.binary))], []
    for package in sorted(described, key=lambda each: each["Package"]):
        name = package["Package"]
        entry = package_entry(package, licenses.declared(package, texts[name]),
                              system)
        entries.append(entry)
        names = {name, f"{name}:{package['Architecture']}"}
        kind, comment = "CONTAINS", "texts of licenses"
        if names & set(linked):
            kind, comment = "STATIC_LINK", "linked in"
        elif names & set(compiled):
            comment = "headers that were compiled in"
        relations.append({"spdxElementId": ECHOD, "relationshipType": kind,
                          "relatedSpdxElement": entry["SPDXID"],
                          "comment": comment})
    args.sbom.write_text(json.dumps(
        document(what_it_says(args.binary), entries, relations, licenses),
        indent=1, ensure_ascii=False) + "\n")
    write_licenses(args.licenses, {
        **{f"usr/share/doc/{name}/copyright": text for name, text in texts.items()},
        **{path.lstrip("/"): text for path, text in shared.items()}})


if __name__ == "__main__":
    main()
