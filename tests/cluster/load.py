#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Puts loads on an echo server, and counts what they lose:

- new connections, each of which sends one line, reads its answer and closes;
- living connections, which send lines at a rate, and reconnect when the server closes
  them;
- silent connections, which send as much as the server takes, and never read.

A connection that the server closes while no answer is due has been drained, which is
no loss. A request whose answer does not come is lost, also one that crosses the
server's FIN on the wire: that one is counted apart, since no server can prevent it.
Prints "ready" once the loads
run, ends when its standard input does, and then prints the result as JSON.
"""

import argparse
import errno
import heapq
import json
import os
import resource
import select
import socket
import sys
import time

ANSWER_SECONDS = 5  # without an answer for so long, there is none
RECONNECT_SECONDS = 0.05  # after a failure
SILENCE_SECONDS = 1  # after which nothing more is taken from who does not read
PREFIX = b"YOU SAID "

# What becomes of a connection, or of the request on it.
REFUSED = "refused"  # not established
RESET = "reset"
CROSSED = "crossed"  # the request met the server's FIN, which was under way before it
UNANSWERED = "unanswered"  # silence, or a FIN within the answer
WRONG = "wrong"  # answered with other bytes
LOSSES = (REFUSED, RESET, CROSSED, UNANSWERED, WRONG)


class Tally:
    """What became of one load."""

    def __init__(self):
        self.connections = 0  # established
        self.requests = 0  # answered
        self.drained = 0
        self.losses = dict.fromkeys(LOSSES, 0)
        self.first_loss = self.last_loss = None
        self.slowest = 0  # from the request, or the connect before it, to the answer
        self.longest_pause = 0  # between answers
        self.last_answer = None
        self.details = []

    def answered(self, now, begun):
        self.requests += 1
        self.slowest = max(self.slowest, now - begun)
        if self.last_answer is not None:
            self.longest_pause = max(self.longest_pause, now - self.last_answer)
        self.last_answer = now

    def lost(self, now, kind, detail):
        self.losses[kind] += 1
        if self.first_loss is None:
            self.first_loss = now
        self.last_loss = now
        if len(self.details) < 20:
            self.details.append(f"{kind} at {now:.3f}: {detail}")

    def result(self):
        span = 0 if self.first_loss is None else self.last_loss - self.first_loss
        return {
            "connections": self.connections, "requests": self.requests,
            "drained": self.drained, **self.losses,
            "loss_seconds": round(span, 3), "slowest": round(self.slowest, 3),
            "longest_pause": round(self.longest_pause, 3),
            "details": self.details,
        }


class Client:
    """A connection and its state, which is one of these methods: what to do when the
    socket is ready."""

    def __init__(self, load, tally, number, period):
        self.load = load
        self.tally = tally
        self.number = number
        self.period = period  # between requests; None: one request, then close
        self.socket = None
        self.state = None
        self.turn = 0  # of the latest timer: earlier ones are void
        self.serial = 0

    # --- to connect

    def open(self):
        self.begun = self.load.now()
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        error = self.socket.connect_ex(self.load.address)
        if error not in (0, errno.EINPROGRESS):
            self.lose(REFUSED, os.strerror(error))
            return
        self.state = self.connecting
        self.load.watch(self, select.EPOLLIN | select.EPOLLOUT)
        self.later(ANSWER_SECONDS, self.give_up)

    def connecting(self):
        error = self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if error:
            self.lose(REFUSED, os.strerror(error))
            return
        try:
            self.socket.getpeername()
        except OSError:  # not yet: the event was an earlier socket's
            return
        self.tally.connections += 1
        self.load.change(self, select.EPOLLIN)
        self.state = self.idle
        if self.period is None:
            self.ask()
        else:
            # Spread evenly over the period.
            self.due = self.load.now() + self.period * ((self.number * 0.618) % 1)
            self.later(self.due - self.load.now(), self.ask)

    # --- to ask and to be answered

    def idle(self):
        """Ready for input although no answer is due."""
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return True
        except OSError as error:
            self.lose(RESET, f"{error.strerror}, idle")
            return False
        if data:
            self.lose(WRONG, f"{data[:60]}, unasked")
        else:
            self.tally.drained += 1
            self.reopen(0)
        return False

    def ask(self):
        # The server may have closed since the last look.
        if self.state == self.idle and not self.idle():
            return
        now = self.load.now()
        if self.period is not None:
            self.begun = now
        self.serial += 1
        line = b"%d of %d\n" % (self.serial, self.number)
        self.answer = self.expected = PREFIX + line
        try:
            self.socket.send(line)
        except OSError as error:
            self.lose(RESET, f"{error.strerror}, while sending")
            return
        self.asked = now
        self.state = self.answering
        self.later(ANSWER_SECONDS, self.give_up)

    def answering(self):
        try:
            data = self.socket.recv(65536)
        except BlockingIOError:
            return
        except OSError as error:
            self.lose(RESET, f"{error.strerror}, {self.since_asked()}")
            return
        if not data:
            self.lose(CROSSED if self.expected == self.answer else UNANSWERED,
                      f"closed {self.since_asked()}")
        elif data == self.expected:
            now = self.load.now()
            self.tally.answered(now, self.begun)
            if self.period is None:
                self.close()
            else:
                self.state = self.idle
                # At once, if it is late, but not several for what it has missed.
                self.due = max(self.due + self.period, now)
                self.later(self.due - now, self.ask)
        elif self.expected.startswith(data):
            self.expected = self.expected[len(data):]
        else:
            self.lose(WRONG, f"{data[:60]} for {self.expected}")

    def since_asked(self):
        return f"{1000 * (self.load.now() - self.asked):.2f} ms after the request"

    def give_up(self):
        self.lose(REFUSED if self.state == self.connecting else UNANSWERED,
                  f"nothing for {ANSWER_SECONDS} s")

    # --- to end

    def lose(self, kind, detail):
        self.tally.lost(self.load.now(), kind, detail)
        self.reopen(RECONNECT_SECONDS)

    def reopen(self, delay):
        self.close()
        if self.period is not None and not self.load.stopping:
            self.later(delay, self.open)

    def close(self):
        self.turn += 1
        if self.socket is not None:
            self.load.forget(self)
            self.socket.close()
            self.socket = None
        self.state = None

    def later(self, delay, action):
        self.turn += 1
        self.load.later(delay, self, self.turn, action)


class Silent:
    """A connection that sends and does not read."""

    CHUNK = (b"x" * 1023 + b"\n") * 64

    def __init__(self, load):
        self.load = load
        self.socket = socket.socket()
        self.socket.setblocking(False)
        self.socket.connect_ex(load.address)
        self.state = self.idle = self.send  # no answer is due
        load.watch(self, select.EPOLLOUT | select.EPOLLET)

    def send(self):
        try:
            while True:
                self.load.silent_bytes += self.socket.send(self.CHUNK)
                self.load.last_silent_bytes = self.load.now()
        except BlockingIOError:
            pass
        except OSError:
            self.load.silent_ended += 1
            self.load.forget(self)
            self.socket.close()


class Load:

    def __init__(self, flags):
        host, port = flags.address.rsplit(":", 1)
        self.address = (host, int(port))
        self.start = time.monotonic()
        self.epoll = select.epoll()
        self.clients = {}  # by descriptor
        self.timers = []
        self.timer_count = 0
        self.stopping = False
        self.new, self.living = Tally(), Tally()
        self.new_period = 1 / flags.new if flags.new else None
        self.new_count = 0
        self.has_living = flags.living > 0
        for number in range(flags.living):
            Client(self, self.living, number, flags.living / flags.rate).open()
        self.silent_bytes = self.silent_ended = 0
        self.last_silent_bytes = 0
        self.silent = [Silent(self) for _ in range(flags.silent)]

    def now(self):
        return time.monotonic() - self.start

    def watch(self, client, events):
        self.clients[client.socket.fileno()] = client
        self.epoll.register(client.socket, events)

    def change(self, client, events):
        self.epoll.modify(client.socket, events)

    def forget(self, client):
        if self.clients.pop(client.socket.fileno(), None):
            self.epoll.unregister(client.socket)

    def later(self, delay, client, turn, action):
        self.timer_count += 1  # a tie is decided before the clients are compared
        heapq.heappush(self.timers, (self.now() + max(0, delay), self.timer_count,
                                     client, turn, action))

    def run(self, requested_stop):
        self.epoll.register(requested_stop, select.EPOLLIN)
        next_new = self.now()
        announced = False
        while not self.stopping or self.busy():
            if self.new_period and not self.stopping:
                while next_new <= self.now():
                    self.new_count += 1
                    Client(self, self.new, self.new_count, None).open()
                    next_new += self.new_period
            for descriptor, _ in self.epoll.poll(self.wait(next_new)):
                if descriptor == requested_stop:
                    self.epoll.unregister(requested_stop)
                    self.stopping = True
                elif client := self.clients.get(descriptor):
                    client.state()
            while self.timers and self.timers[0][0] <= self.now():
                _, _, client, turn, action = heapq.heappop(self.timers)
                if turn == client.turn and not (
                        self.stopping and action != client.give_up):
                    action()
            if not announced and self.runs():
                announced = True
                print("ready", flush=True)

    def runs(self):
        loads = [self.new] * bool(self.new_period) + [self.living] * self.has_living
        return all(tally.requests for tally in loads) and (
            # The silent ones have sent what is taken from them.
            self.now() - self.last_silent_bytes > SILENCE_SECONDS or not self.silent)

    def busy(self):
        """Whether an answer is due."""
        return any(client.state != client.idle for client in self.clients.values())

    def wait(self, next_new):
        due = [self.timers[0][0]] if self.timers else []
        if self.new_period and not self.stopping:
            due.append(next_new)
        return max(0, min(due, default=self.now() + 1) - self.now())

    def result(self):
        result = {"seconds": round(self.now(), 1), "new": self.new.result(),
                  "living": self.living.result()}
        if self.silent:
            result["silent"] = {"mebibytes_taken": self.silent_bytes >> 20,
                                "ended_by_server": self.silent_ended}
        return result


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address", help="IPv4 address and port")
    parser.add_argument("--new", type=float, default=0, help="connections a second")
    parser.add_argument("--living", type=int, default=0, help="connections")
    parser.add_argument("--rate", type=float, default=1,
                        help="requests a second of the living connections together")
    parser.add_argument("--silent", type=int, default=0, help="connections")
    flags = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    load = Load(flags)
    load.run(sys.stdin.fileno())
    json.dump(load.result(), sys.stdout)


if __name__ == "__main__":
    main()
