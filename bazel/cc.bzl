"""Macros for the project's C++ targets, which set compiler options and visibility."""

load("@rules_cc//cc:cc_binary.bzl", "cc_binary")
load("@rules_cc//cc:cc_library.bzl", "cc_library")
load("@rules_cc//cc:cc_test.bzl", "cc_test")
load("//bazel:copts.bzl", "ECHOD_COPTS")
load("//bazel:rooms.bzl", "room_visibility")

def echod_cc_library(name, copts = [], visibility = None, **kwargs):
    """A cc_library, visible to the rooms that may use this one.

    Args:
      name: the library.
      copts: options in addition to the project's.
      visibility: replaces the visibility of the room in rooms.bzl.
      **kwargs: passed to cc_library.
    """
    cc_library(
        name = name,
        copts = ECHOD_COPTS + copts,
        visibility = visibility or room_visibility(native.package_name()),
        **kwargs
    )

def echod_cc_binary(name, copts = [], **kwargs):
    """A cc_binary.

    Args:
      name: the binary.
      copts: options in addition to the project's.
      **kwargs: passed to cc_binary.
    """
    cc_binary(
        name = name,
        copts = ECHOD_COPTS + copts,
        **kwargs
    )

def echod_cc_test(name, size = "small", copts = [], deps = [], **kwargs):
    """A cc_test of GoogleTest.

    Args:
      name: the test.
      size: as for cc_test.
      copts: options in addition to the project's.
      deps: in addition to GoogleTest and its main.
      **kwargs: passed to cc_test.
    """
    cc_test(
        name = name,
        size = size,
        copts = ECHOD_COPTS + copts,
        deps = deps + ["@com_google_googletest//:gtest_main"],
        **kwargs
    )
