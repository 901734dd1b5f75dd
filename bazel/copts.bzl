"""Compiler options of all first-party C++ targets."""

# Not -Werror for all warnings: new warnings of newer compilers must not break the
# build. The warnings that are errors here indicate bugs on every compiler. The C++
# standard is in .bazelrc, because it must apply to all targets.
ECHOD_COPTS = [
    "-Wall",
    "-Wextra",
    # Designated initializers may omit fields with defaults.
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
