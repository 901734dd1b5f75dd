"""Macros for the container image and its test."""

load("@rules_shell//shell:sh_test.bzl", "sh_test")

def echod_image(name, binary, tags = []):
    """An OCI layout in a tarball, {name}.tar.

    Args:
      name: the image.
      binary: the program, a static_binary.
      tags: in addition to those that it needs.
    """
    native.genrule(
        name = name,
        srcs = [
            "etc/group",
            "etc/passwd",
            binary,
        ],
        outs = [name + ".tar"],
        cmd = """
            $(execpath build_image.py) \\
                --umoci=$(execpath @umoci) \\
                --binary=$(execpath {binary}) \\
                --etc $(execpath etc/group) $(execpath etc/passwd) \\
                --output=$@
        """.format(binary = binary),
        # A static binary has no sanitizers.
        tags = tags + ["no_sanitizer"],
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
        ],
        data = [
            "build_image.py",
            image + ".tar",
            "@umoci",
        ],
        tags = tags + ["no_sanitizer"],
    )
