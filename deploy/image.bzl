"""Macros for the container image and its test."""

load("@rules_shell//shell:sh_test.bzl", "sh_test")
load(":sbom.bzl", "sbom")

_FILES = [
    "//:LICENSE",
    "//:README.md",
    "etc/group",
    "etc/passwd",
]

def echod_image(name, binary, tags = []):
    """An OCI layout in a tarball, {name}.tar, and its {name}_sbom.spdx.json.

    Args:
      name: the image.
      binary: the program, a static_binary.
      tags: in addition to those that it needs.
    """

    # A static binary has no sanitizers.
    tags = tags + ["no_sanitizer"]
    sbom(
        name = name + "_sbom",
        binary = binary,
        link = ":link",
        tags = tags,
    )
    native.genrule(
        name = name,
        srcs = _FILES + [
            name + "_sbom.spdx.json",
            name + "_sbom_licenses.tar",
            binary,
        ],
        outs = [
            name + ".tar",
            name + "_root.tar",
        ],
        cmd = """
            $(execpath build_image.py) \\
                --umoci=$(execpath @umoci) \\
                --binary=$(execpath {binary}) \\
                --etc $(execpath etc/group) $(execpath etc/passwd) \\
                --doc $(execpath //:README.md) \\
                --license=$(execpath //:LICENSE) \\
                --sbom=$(execpath {name}_sbom.spdx.json) \\
                --licenses=$(execpath {name}_sbom_licenses.tar) \\
                --root=$(execpath {name}_root.tar) \\
                --output=$(execpath {name}.tar)
        """.format(binary = binary, name = name),
        tags = tags,
        tools = [
            "build_image.py",
            "@umoci",
        ],
    )

def echod_image_test(name, image, tags = []):
    """Tests an image with image_test.py, which has no dependencies.

    Args:
      name: the test.
      image: an echod_image.
      tags: in addition to those that it needs.
    """
    sh_test(
        name = name,
        size = "small",
        srcs = ["image_test.py"],
        args = [
            "$(rootpath %s.tar)" % image,
            "$(rootpath build_image.py)",
            "$(rootpath @umoci)",
            "$(rootpath %s_sbom.spdx.json)" % image,
            "$(rootpath :link)",
        ],
        data = [
            "build_image.py",
            image + ".tar",
            image + "_sbom.spdx.json",
            ":link",
            "@umoci",
        ],
        tags = tags + ["no_sanitizer"],
    )
