# SPDX-License-Identifier: Apache-2.0
"""That the cluster leaves nothing on the machine, however it ends."""

import os
import pathlib
import shutil
import signal
import subprocess

from deployment import CLUSTER, TREE, check, eventually, run

STATE = pathlib.Path(os.environ.get("ECHOD_CLUSTER_CACHE", TREE / ".cache/cluster"),
                     "running")
FOLDERS = ("/run/containerd", "/run/kubernetes", "/run/kubelet", "/run/netns/client",
           "/var/lib/kubelet", "/var/log/pods", "/var/log/containers")
SYSCTLS = ("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic",
           "kernel/panic_on_oops", "kernel/keys/root_maxkeys",
           "kernel/keys/root_maxbytes", "net/ipv4/ip_forward")


def output(*words):
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout


def machine():
    """What a cluster could change on the machine."""
    mounts = pathlib.Path("/proc/self/mounts").read_text().splitlines()
    marks = ("kube", "containerd", "cni", str(STATE))
    return {
        "mounts": [line for line in mounts if any(mark in line for mark in marks)],
        "folders": [folder for folder in FOLDERS if os.path.exists(folder)],
        "interfaces": [line.split()[1] for line in
                       output("ip", "-oneline", "link").splitlines()],
        "rules": [line for line in output("iptables-save").splitlines()
                  if line.startswith("-A")],
        "sysctls": [pathlib.Path("/proc/sys", name).read_text() for name in SYSCTLS
                    if os.path.exists(f"/proc/sys/{name}")],
        "cgroups": output("find", "/sys/fs/cgroup", "-name",
                          output(CLUSTER, "cgroup").strip()),
    }


def namespace(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:  # it has ended
        return None


def processes(of_namespace):
    return [pid for pid in os.listdir("/proc")
            if pid.isdigit() and namespace(pid) == of_namespace]


def check_as_before(before):
    after = machine()
    for what, found in after.items():
        check(found == before[what], f"{what} before: {before[what]}; after: {found}")


def interrupted():
    """Ctrl-C while the cluster starts"""
    shutil.rmtree(STATE, ignore_errors=True)  # an earlier cluster's logs
    before = machine()
    # A shell's background job ignores it, and a child would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    process = subprocess.Popen([CLUSTER, "up"], start_new_session=True,
                               stderr=subprocess.DEVNULL)
    try:
        eventually("etcd starts", lambda: (STATE / "log/etcd.log").exists())
        os.killpg(process.pid, signal.SIGINT)
        check(process.wait(30) != 0, "`up` does not say that it was interrupted")
        check(not output(CLUSTER, "first_process"), "the cluster goes on")
        check_as_before(before)
    finally:
        subprocess.run([CLUSTER, "down"], check=True)


def component_ends():
    """The end of a component ends the cluster"""
    before = machine()
    subprocess.run([CLUSTER, "up"], check=True)
    try:
        first = output(CLUSTER, "first_process").strip()
        inside = namespace(first)
        check(len(processes(inside)) > 5, "the components run elsewhere")
        # The command may end with the cluster, before it has a status.
        run("bash", "-c", "kill -s KILL $(pidof etcd)", check_status=False)
        eventually("the cluster ends", lambda: not processes(inside))
    finally:
        subprocess.run([CLUSTER, "down"], check=True)
    check("etcd has ended" in (STATE / "log/node.log").read_text(),
          "the log does not say which component has ended")
    check_as_before(before)


LIFECYCLE = {each.__name__: each for each in (interrupted, component_ends)}
