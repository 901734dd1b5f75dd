# SPDX-License-Identifier: Apache-2.0
"""What is done to echod on the cluster, and what must hold then.

A scenario gets echod in a namespace of its own, and adds to its figures.
"""

import contextlib
import itertools
import json
import subprocess
import time

import load
from deployment import (ADMIN_PORT, CLUSTER, ECHO_PORT, TREE, Load, check, eventually, run,
                        under_load)

SCENARIOS = {}
ALONE = set()  # those that others beside them would notice
POLICIES = set()  # those that need kube-router


def scenario(function):
    SCENARIOS[function.__name__] = function
    return function


def alone(function):
    ALONE.add(function.__name__)
    return function


def with_policies(function):
    POLICIES.add(function.__name__)
    return function


def lost(counts):
    return {kind: counts[kind] for kind in load.LOSSES if counts[kind]}


# Requests that cross a FIN, of 60 connections that are drained while they send 25
# requests a second each. None is usual, and more are no coincidence.
MOST_CROSSED = 2


def check_nothing_lost(figures):
    for name in ("new", "living"):
        counts = figures[name]
        losses = lost(counts)
        if losses.get(load.CROSSED, 0) <= MOST_CROSSED:
            losses.pop(load.CROSSED, None)
        check(counts["requests"] > 0, f"no request of the {name} connections")
        check(not losses, f"{name} connections lost {losses}:\n  "
              + "\n  ".join(counts["details"]))


def check_loss_bounded(figures, seconds, new, living):
    for name, most in (("new", new), ("living", living)):
        counts = figures[name]
        check(sum(lost(counts).values()) <= most and counts["loss_seconds"] <= seconds
              and not counts["wrong"],
              f"{name} connections lost {lost(counts)} over {counts['loss_seconds']} s: "
              f"more than {most}, or over more than {seconds} s")


def echo(address, line="hello world."):
    """What the server answers to a client beside the node."""
    host, port = address.split(":")
    return subprocess.run(
        [CLUSTER, "in_client", "bash", "-c",
         'exec 3<>"/dev/tcp/$1/$2" && printf "%s\\n" "$3" >&3 &&'
         ' IFS= read -r -t 5 answer <&3 && printf %s "$answer"', "echo", host, port, line],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=TREE,
        timeout=20).stdout


# --- to deploy and to operate


@scenario
def deploy(echod, figures):
    """The manifests in a namespace that enforces the standard `restricted`."""
    start = time.monotonic()
    output = echod.create()
    figures["ready_seconds"] = round(time.monotonic() - start, 1)
    check(figures["ready_seconds"] < 60, f"Ready after {figures['ready_seconds']} s")
    check("Warning" not in output, output)
    # A pod that asks for no restrictions.
    refused = run("kubectl", "--namespace", echod.namespace, "run", "unrestricted",
                  "--image=echod", check_status=False)
    check("violates PodSecurity" in refused, "the namespace enforces nothing")
    answer = echo(echod.address())
    check(answer == "YOU SAID hello world.", f"the Service answers {answer!r}")
    check(all(pod.restarts == 0 for pod in echod.pods()), "a container has restarted")


@contextlib.contextmanager
def forwarded(echod, target):
    """The local address of `kubectl port-forward`."""
    process = subprocess.Popen(
        [CLUSTER, "in", "kubectl", "--namespace", echod.namespace, "port-forward",
         target, f":{ADMIN_PORT}"], stdout=subprocess.PIPE, text=True, cwd=TREE)
    try:
        line = process.stdout.readline()
        check(line.startswith("Forwarding from 127.0.0.1:"), f"port-forward: {line}")
        yield line.split()[2]
    finally:
        process.terminate()
        process.communicate()


@scenario
def operate(echod, figures):
    """The commands of deploy/README.md for operators."""
    echod.create()
    figures["connections"] = 20
    load_ = Load(echod.address(), living=20, rate=100)
    try:
        with forwarded(echod, "deployment/echod") as address:
            def rpc(method):
                return json.loads(run("grpcurl", "-plaintext", "-emit-defaults", address,
                                      f"echod.admin.v1.AdminService/{method}"))
            stats = rpc("GetStats")
            connections = rpc("ListConnections")["connections"]
        active = int(stats["total"]["connections_active"])
        check(0 < active <= 20 and len(connections) == active,
              f"{active} connections active, {len(connections)} listed")
    finally:
        load_.kill()


@scenario
def readme(echod, figures):
    """The commands of deploy/README.md, as it has them"""
    run("kubectl", "create", "namespace", echod.namespace)
    # The namespace that kubectl uses.
    config = f"/run/kubernetes/{echod.namespace}.conf"
    run("cp", "/run/kubernetes/admin.conf", config)
    run("kubectl", "--kubeconfig", config, "config", "set-context", "--current",
        f"--namespace={echod.namespace}")
    try:
        run("env", f"KUBECONFIG={config}", TREE / ".ci/check_readme", "sessions",
            "deploy/README.md", "On Kubernetes", timeout=300)
    finally:  # the overlay's, which is the text's to delete
        run("kubectl", "delete", "namespace", "echod-dev", "--ignore-not-found",
            "--wait=false")


@scenario
def move_port(echod, figures):
    """A live port change of one pod of three, and back."""
    pod = echod.create(3) and echod.pods()[0]
    name = "listeners/default"

    def move(port):
        pod.rpc("UpdateListener", {"listener": {"name": name, "port": port}})

    def ready():
        return next(each for each in echod.pods() if each.name == pod.name).ready

    with under_load(echod, figures):
        move(9090)
        answer = echo(f"{pod.address}:9090")
        check(answer == "YOU SAID hello world.", f"the new port answers {answer!r}")
        eventually("the pod is not Ready", lambda: not ready(), 5)
        time.sleep(5)  # in which nothing more may be lost
        move(ECHO_PORT)
        eventually("Ready again", ready)
    # Until the kubelet has asked, and kube-proxy has changed its rules.
    check_loss_bounded(figures, seconds=4, new=200, living=0)


# --- to replace pods, under load: nothing may be lost


@scenario
def restart_1(echod, figures):
    """kubectl rollout restart of one replica"""
    restart(echod, figures, 1)


@scenario
def restart_2(echod, figures):
    """kubectl rollout restart of two replicas"""
    restart(echod, figures, 2)


@scenario
def restart_3(echod, figures):
    """kubectl rollout restart of three replicas"""
    restart(echod, figures, 3)


def restart(echod, figures, replicas):
    echod.create(replicas)
    with under_load(echod, figures):
        echod.kubectl("rollout", "restart", "deployment/echod")
        echod.rolled_out()
        echod.settle(replicas)
    check_nothing_lost(figures)


@scenario
def delete_1(echod, figures):
    """kubectl delete pod, of one replica"""
    delete(echod, figures, 1)


@scenario
def delete_3(echod, figures):
    """kubectl delete pod, of three replicas"""
    delete(echod, figures, 3)


def delete(echod, figures, replicas):
    echod.create(replicas)
    with under_load(echod, figures):
        echod.kubectl("delete", "pod", echod.pods()[0].name, "--wait=false")
        echod.settle(replicas)
    check_nothing_lost(figures)


@scenario
def scale(echod, figures):
    """From one replica to three, and back to one"""
    echod.create(1)
    with under_load(echod, figures):
        for replicas in (3, 1):
            echod.scale(replicas)
            echod.settle(replicas)
    check_nothing_lost(figures)


@scenario
def drain_server(echod, figures):
    """DrainServer in one pod of two"""
    echod.create(2)
    pod = echod.pods()[0]
    with under_load(echod, figures):
        pod.rpc("DrainServer")
        eventually("the container has restarted", lambda: any(
            each.restarts for each in echod.settle(2)), 90)
    check_nothing_lost(figures)
    end = next(each for each in echod.pods() if each.restarts).last_end
    check(end.get("exitCode") == 0, f"the container ended with {end}")


@contextlib.contextmanager
def uncordoned_afterwards():
    """Yields the node's name; its body may drain the node."""
    node = run("kubectl", "get", "node", "--output=name").strip()
    try:
        yield node
    finally:
        run("kubectl", "uncordon", node)


def drain(node, seconds):
    return run("kubectl", "drain", node, f"--timeout={seconds}s", "--ignore-daemonsets",
               "--pod-selector=app.kubernetes.io/name=echod", check_status=False)


@scenario
@alone
def drain_node_2(echod, figures):
    """kubectl drain of the only node, with two replicas"""
    echod.create(2)
    with under_load(echod, figures):
        with uncordoned_afterwards() as node:
            # The PodDisruptionBudget keeps one, since its successor has no node.
            output = drain(node, 20)
            check("disruption budget" in output, output)
        echod.settle(2)
    check_nothing_lost(figures)


# --- what cannot be without loss: how much it is


@scenario
@alone
def drain_node_1(echod, figures):
    """kubectl drain of the only node, with one replica: down until uncordon"""
    echod.create(1)
    with under_load(echod, figures):
        with uncordoned_afterwards() as node:
            start = time.monotonic()
            output = drain(node, 60)
            figures["drain_seconds"] = round(time.monotonic() - start, 1)
            check("drained" in output, output)
        echod.settle(1)


@scenario
def kill_one(echod, figures):
    """SIGKILL of one of three"""
    echod.create(3)
    pod = echod.pods()[0]
    with under_load(echod, figures):
        run("ctr", "--namespace", "k8s.io", "tasks", "kill", "--signal=SIGKILL",
            pod.container)
        eventually("the container has restarted", lambda: any(
            each.restarts for each in echod.settle(3)))
    # A third of the connections, until the kubelet has noticed. The living ones may
    # meet the dead pod again when they reconnect.
    check_loss_bounded(figures, seconds=3, new=100, living=120)


# --- clients that do not read


@contextlib.contextmanager
def silent_clients(echod, figures, clients):
    """That many clients, from the time when the server takes no more from them."""
    load = Load(echod.address(), silent=clients)
    try:
        yield
    finally:
        figures["silent"] = load.finish()["silent"]


@scenario
@alone
def silent(echod, figures):
    """1,900 clients that do not read, at the memory limit of the manifests"""
    echod.create(1)
    pod, = echod.pods()
    with silent_clients(echod, figures, 1900):
        with under_load(echod, figures):
            time.sleep(5)
        figures["peak_mebibytes"] = pod.peak_memory() >> 20
    after, = echod.settle(1)
    check(after.restarts == 0, f"the container ended with {after.last_end}")
    check(not figures["silent"]["ended_by_server"], "the server ended silent clients")
    check_nothing_lost(figures)


@scenario
@alone
def out_of_memory(echod, figures):
    """2,000 clients that do not read, at a memory limit of 64 MiB: killed, restarted"""
    echod.create(1)
    echod.kubectl("set", "resources", "deployment/echod", "--limits=memory=64Mi")
    echod.rolled_out()
    echod.settle(1)
    start = time.monotonic()
    with silent_clients(echod, figures, 2000):
        after, = eventually("the container has restarted and is Ready", lambda: [
            pod for pod in echod.pods() if pod.restarts and pod.ready])
    figures["killed_and_ready_seconds"] = round(time.monotonic() - start, 1)
    check(after.last_end["reason"] == "OOMKilled", f"it ended with {after.last_end}")
    with under_load(echod, figures):
        time.sleep(2)
    check_nothing_lost(figures)


# --- with a network plugin that enforces policies


@contextlib.contextmanager
def enforced_policies():
    process = subprocess.Popen(
        [CLUSTER, "in", "kube-router", "--run-firewall=true", "--run-router=false",
         "--run-service-proxy=false", "--run-loadbalancer=false", "--health-port=0",
         "--kubeconfig=/run/kubernetes/admin.conf", "--hostname-override=node",
         "--service-cluster-ip-range=198.18.128.0/20"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=TREE)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def asks_health(echod, name, address, labels):
    """Whether a pod with these labels reaches that admin port: it asks for the health."""
    container = echod.get("deployment", "echod")["spec"]["template"]["spec"]
    echod.kubectl("apply", "--filename=-", text=json.dumps({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": {"name": name, "labels": labels},
        "spec": {
            "restartPolicy": "Never",
            "securityContext": container["securityContext"],
            "containers": [{
                "name": "client", "image": container["containers"][0]["image"],
                "args": [f"--check_health={address}"],
                "securityContext": container["containers"][0]["securityContext"]}]}}))
    phase = eventually(f"the pod {name} ends", lambda: {
        "Succeeded": "yes", "Failed": "no"}.get(
            echod.get("pod", name)["status"]["phase"]), 60)
    return phase == "yes"


@scenario
@alone
@with_policies
def network_policy(echod, figures):
    """The NetworkPolicy, enforced by kube-router"""
    echod.create(2)
    address = f"{echod.pods()[0].address}:{ADMIN_PORT}"
    anyone, operator = {"app": "anyone"}, {"echod-admin-client": "true"}
    check(asks_health(echod, "before", address, anyone),
          "nothing enforces the policy, and yet a pod is refused")
    with enforced_policies():
        eventually("the policy is enforced", lambda: "KUBE-POD-FW" in run(
            "iptables-save"))
        number = itertools.count()
        # A pod without rules yet may be refused at first, or let through.
        eventually("an operator's pod reaches the admin port", lambda: asks_health(
            echod, f"operator-{next(number)}", address, operator))
        eventually("another pod does not", lambda: not asks_health(
            echod, f"other-{next(number)}", address, anyone))
        with under_load(echod, figures):
            check(not asks_health(echod, "late", address, anyone),
                  "another pod reaches the admin port")
        restarts = sum(pod.restarts for pod in echod.settle(2))
    check(restarts == 0, "the policy refuses the probes")
    check_nothing_lost(figures)
