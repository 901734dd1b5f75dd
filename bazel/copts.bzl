"""Compiler options of every first-party C++ target."""

# No blanket -Werror: a newer compiler's new warning must not break a build.
# What is an error here is a bug on every compiler that knows it.
# The C++ standard is in .bazelrc, since it must hold for every target.
ECHOD_COPTS = [
    "-Wall",
    "-Wextra",
    # Fields that are not named have defaults.
    "-Wno-missing-field-initializers",
    "-Wcast-qual",
    "-Wextra-semi",
    "-Wimplicit-fallthrough",
    "-Wmissing-declarations",
    "-Wnon-virtual-dtor",
    "-Woverloaded-virtual",
    "-Wpointer-arith",
    "-Wshadow",
    "-Wundef",
    "-Wvla",
    "-Werror=delete-non-virtual-dtor",
    "-Werror=format=2",
    "-Werror=return-type",
    "-Werror=suggest-override",
    "-Werror=switch",
    "-Werror=uninitialized",
    "-Werror=unused-result",
]
