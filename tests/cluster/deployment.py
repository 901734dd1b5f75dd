# SPDX-License-Identifier: Apache-2.0
"""The cluster of the tests, and echod deployed on it."""

import contextlib
import json
import os
import pathlib
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
TREE = HERE.parent.parent
CLUSTER = HERE / "cluster"
MANIFESTS = TREE / "deploy/kubernetes"
ECHO_PORT, ADMIN_PORT = 8080, 9901
COMMAND_SECONDS = 90


class Failure(Exception):
    """What a scenario expected did not hold."""


def check(condition, message):
    if not condition:
        raise Failure(message)


def run(*words, check_status=True, text=None, timeout=COMMAND_SECONDS):
    """Returns the output of a command on the node."""
    done = subprocess.run([CLUSTER, "in", *map(str, words)], input=text, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          timeout=timeout, cwd=TREE)
    if check_status and done.returncode != 0:
        raise Failure(f"{' '.join(map(str, words))}: status {done.returncode}\n"
                      f"{done.stdout}")
    return done.stdout


def eventually(what, look, seconds=30):
    """Returns what `look` returns once that is true."""
    limit = time.monotonic() + seconds
    while not (found := look()):
        check(time.monotonic() < limit, f"within {seconds} s: {what}")
        time.sleep(0.1)
    return found


class Pod:

    def __init__(self, namespace, item):
        self.namespace = namespace
        self.name = item["metadata"]["name"]
        self.terminating = "deletionTimestamp" in item["metadata"]
        status = item["status"]
        self.address = status.get("podIP")
        self.ready = any(each["type"] == "Ready" and each["status"] == "True"
                         for each in status.get("conditions", ()))
        container = status.get("containerStatuses", [{}])[0]
        self.container = container.get("containerID", "").rsplit("/")[-1]
        self.restarts = container.get("restartCount", 0)
        self.last_end = container.get("lastState", {}).get("terminated", {})

    def peak_memory(self):
        """The most memory that the container has used, in bytes, as its cgroup says."""
        return int(run("bash", "-c",
                       "cat $(find /sys/fs/cgroup -path \"*/$1/memory.peak\" -o"
                       " -path \"*/$1/memory.max_usage_in_bytes\")",
                       "peak", self.container))

    def rpc(self, method, request=None, service="echod.admin.v1.AdminService"):
        """Calls the admin service from the node, as the probes do."""
        return json.loads(run(
            "grpcurl", "-plaintext", "-emit-defaults", "-max-time", 10,
            "-d", json.dumps(request or {}), f"{self.address}:{ADMIN_PORT}",
            f"{service}/{method}"))


class Deployment:
    """The manifests, applied unchanged into a namespace of their own."""

    def __init__(self, namespace):
        self.namespace = namespace

    def kubectl(self, *words, **options):
        return run("kubectl", "--namespace", self.namespace, *words, **options)

    def get(self, *words):
        return json.loads(self.kubectl("get", *words, "--output=json"))

    def create(self, replicas=None):
        """Deploys so many replicas, or as many as the manifests say, and waits until
        all are Ready. Returns what kubectl says."""
        run("kubectl", "create", "namespace", self.namespace)
        run("kubectl", "label", "namespace", self.namespace,
            "pod-security.kubernetes.io/enforce=restricted",
            "pod-security.kubernetes.io/warn=restricted")
        if replicas is None:
            output = self.kubectl("apply", "--kustomize", MANIFESTS)
        else:
            # An overlay names its base by a relative path.
            with tempfile.TemporaryDirectory(dir=HERE, prefix=".overlay.") as folder:
                pathlib.Path(folder, "kustomization.yaml").write_text(json.dumps({
                    "resources": [os.path.relpath(MANIFESTS, folder)],
                    "replicas": [{"name": "echod", "count": replicas}]}))
                output = self.kubectl("apply", "--kustomize", folder)
        wanted = self.get("deployment", "echod")["spec"]["replicas"]
        self.settle(wanted)
        self.proxied(wanted)
        return output

    def rolled_out(self, seconds=60):
        """Waits until as many pods as wanted are Ready, of the latest revision."""
        self.kubectl("rollout", "status", "deployment/echod", f"--timeout={seconds}s",
                     timeout=seconds + 10)

    def scale(self, replicas):
        self.kubectl("scale", "deployment/echod", f"--replicas={replicas}")

    def pods(self):
        return [Pod(self.namespace, item)
                for item in self.get(
                    "pods", "--selector=app.kubernetes.io/name=echod")["items"]]

    def settle(self, replicas, seconds=60):
        """Waits until there are `replicas` pods, all Ready, and none terminates."""
        def settled():
            pods = self.pods()
            return len(pods) == replicas and all(
                pod.ready and not pod.terminating for pod in pods) and pods
        return eventually(f"{replicas} Ready pods and no other", settled, seconds)

    def proxied(self, replicas):
        """Waits until kube-proxy sends the Service's clients to so many pods. It follows
        readiness by up to a second."""
        mark = f'"{self.namespace}/echod:echo -> '
        eventually(f"kube-proxy knows {replicas} pods", lambda: sum(
            mark in line for line in
            run("iptables-save", "--table=nat").splitlines()) == replicas)

    def address(self):
        """The address of the Service."""
        return f"{self.get('service', 'echod')['spec']['clusterIP']}:{ECHO_PORT}"

    def delete(self):
        run("kubectl", "delete", "namespace", self.namespace, "--wait=false")


class Load:
    """load.py on the client's host."""

    def __init__(self, address, **flags):
        words = [f"--{name}={value}" for name, value in flags.items()]
        self.process = subprocess.Popen(
            [CLUSTER, "in_client", HERE / "load.py", address, *words],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=TREE)
        check(self.process.stdout.readline() == "ready\n", "the load does not start")

    def finish(self):
        """Ends the loads, and returns their counts."""
        try:
            output, _ = self.process.communicate(timeout=30)
            check(self.process.returncode == 0, "the load has failed")
            return json.loads(output)
        finally:
            self.kill()

    def kill(self):
        self.process.kill()
        self.process.communicate()


@contextlib.contextmanager
def under_load(deployment, figures, **more):
    """Runs its body under the two loads, and adds their counts to `figures`."""
    load = Load(deployment.address(), new=100, living=60, rate=1500, **more)
    try:
        yield
    finally:
        figures.update(load.finish())
