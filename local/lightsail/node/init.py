"""The program inside a node: the first process of a network and process namespace of its own.

It is run as a plain file by ``python -I -S``, so it imports the standard library only. It brings up
the node's loopback, launches and reaps containers, and hands the server sockets that were made
inside the node. Its whole life hangs on the server: when the control socket closes, or a process
between it and the server dies in whatever way, the kernel kills everything in the node.

Where no namespaces can be made, `SharedNode` does by hand what the kernel does for a namespace: it
adopts what a container leaves behind, and kills it.

Messages are JSON objects, one a packet, over a SOCK_SEQPACKET pair; descriptors travel beside them.
"""

import contextlib
import ctypes
import errno
import fcntl
import json
import os
import selectors
import shutil
import signal
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR, IFF_UP = 0x8913, 0x8914, 0x8916, 0x1
MAX_MESSAGE = 1 << 16
EXEC_FAILED = 127
NOT_EXECUTABLE = 126


def main(control_fd: int, server_pid: int, kind: str) -> None:
    """Serve the control socket as a node in namespaces of its own, or as a shared one."""
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    if kind == "isolated":
        serve_isolated(control, server_pid)
    else:
        adopt_orphans()
        SharedNode(control).serve()


def serve_isolated(control: socket.socket, server_pid: int) -> None:
    """Make the namespaces and become their first process."""
    try:
        enter_namespaces()
    except OSError as problem:
        control.send(json.dumps({"event": "refused", "why": describe(problem)}).encode())
        return
    # Only now: a change of credentials, as a user namespace brings, clears this setting.
    die_with_parent()
    if os.getppid() != server_pid:
        return
    first = os.fork()
    if first:
        control.close()
        os.waitpid(first, 0)
        return
    die_with_parent()
    raise_loopback()
    IsolatedNode(control).serve()


def enter_namespaces() -> None:
    """Take a new network namespace, and a new process namespace for the children."""
    try:
        os.unshare(os.CLONE_NEWNET | os.CLONE_NEWPID)
    except PermissionError:
        # Not privileged, be it a plain user or root in a container: by way of a user namespace.
        uid, gid = os.geteuid(), os.getegid()
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET | os.CLONE_NEWPID)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def die_with_parent() -> None:
    """Ask the kernel for KILL when the parent dies, however it dies."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def raise_loopback() -> None:
    """Bring up ``lo``, which a new network namespace has switched off."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, request)
        flags = struct.unpack("16sH14x", answer)[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def describe(problem: OSError) -> str:
    """Say an operating system error in one line."""
    return f"{problem.strerror or problem} ({errno.errorcode.get(problem.errno or 0, 'unknown')})"


class Node:
    """What the first process of a node does for the rest of its life."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.children: set[int] = set()

    def serve(self) -> None:
        """Answer requests and report exits until the server goes away."""
        woken, wakes = socket.socketpair()
        wakes.setblocking(False)
        signal.set_wakeup_fd(wakes.fileno())
        signal.signal(signal.SIGCHLD, lambda *_: None)
        waiting = selectors.DefaultSelector()
        waiting.register(self.control, selectors.EVENT_READ)
        waiting.register(woken, selectors.EVENT_READ)
        self.tell({"event": "ready"})
        while True:
            ready = {key.fileobj for key, _ in waiting.select()}
            if woken in ready:
                woken.recv(4096)
                self.reap()
            if self.control in ready:
                data, descriptors, _, _ = socket.recv_fds(self.control, MAX_MESSAGE, 4)
                if not data:
                    self.end()
                self.answer(json.loads(data), descriptors)

    def answer(self, request: dict, descriptors: list[int]) -> None:  # type: ignore[type-arg]
        """Do what is asked and say how it went, under the number that the request carries."""
        reply = {"id": request["id"]}
        handed: list[socket.socket] = []
        try:
            if request["do"] == "launch":
                reply["pid"] = self.launch(*descriptors)
            elif request["do"] == "signal":
                self.signal(request["pid"], request["signal"])
            elif request["do"] == "socket":
                handed = [socket.socket(socket.AF_INET, socket.SOCK_STREAM)]
            elif request["do"] == "listen":
                if not request["address"].startswith("127."):
                    take_address(request["address"])
                handed = [listening_socket(request["address"], request["port"])]
        except OSError as problem:
            reply["error"] = describe(problem)
        finally:
            for descriptor in descriptors:
                os.close(descriptor)
        self.tell(reply, [each.fileno() for each in handed])
        for each in handed:
            each.close()

    def tell(self, message: dict, descriptors: list[int] | None = None) -> None:  # type: ignore[type-arg]
        """Send one message; a server that is gone ends the node."""
        try:
            socket.send_fds(self.control, [json.dumps(message).encode()], descriptors or [])
        except OSError:
            self.end()

    def end(self) -> None:
        """End the node and everything in it."""
        raise NotImplementedError

    def launch(self, description: int, output: int) -> int:
        """Start a container; returns the number of the process that stands for it."""
        with open(os.dup(description), "rb") as source:  # noqa: PTH123 - a descriptor, not a path
            source.seek(0)
            wanted = json.load(source)
        pid = self.fork(wanted, output)
        self.children.add(pid)
        return pid

    def fork(self, wanted: dict, output: int) -> int:  # type: ignore[type-arg]
        """Fork a process that becomes the container, or stands for it."""
        raise NotImplementedError

    def signal(self, pid: int, number: int) -> None:
        """Signal a container, unless it was reaped already."""
        if pid in self.children:
            os.kill(pid, number)

    def reap(self) -> None:
        """Report every container that ended: its exit code, or minus the signal's number."""
        for pid, code in ended_children():
            self.children.discard(pid)
            self.tell({"event": "exit", "pid": pid, "code": code})


class IsolatedNode(Node):
    """A node in namespaces of its own: the kernel ends what a container leaves behind."""

    def __init__(self, control: socket.socket) -> None:
        super().__init__(control)
        self.own_processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def fork(self, wanted: dict, output: int) -> int:  # type: ignore[type-arg]
        """Fork the container as the first process of a process namespace of its own."""
        os.unshare(os.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            become(wanted, output)
        # Later children belong to this node again; a second unshare would be refused otherwise.
        os.setns(self.own_processes, os.CLONE_NEWPID)
        return pid

    def end(self) -> None:
        """End the node: the end of its first process is the end of all others."""
        os._exit(0)


class SharedNode(Node):
    """A node among the processes of the machine.

    Each container has a supervisor process that adopts the container's orphans. When the supervisor
    ends, the node adopts the orphans and kills them.
    """

    def __init__(self, control: socket.socket) -> None:
        super().__init__(control)
        self.unreported: dict[int, int] = {}

    def fork(self, wanted: dict, output: int) -> int:  # type: ignore[type-arg]
        """Fork the container's supervisor."""
        pid = os.fork()
        if pid == 0:
            keep(wanted, output)
        return pid

    def reap(self) -> None:
        """Report the containers that ended, once nothing of them runs any more."""
        for pid, code in ended_children():
            if pid in self.children:
                self.children.discard(pid)
                self.unreported[pid] = code
        orphans = own_children() - self.children
        kill(orphans)  # the end of each brings us here again, with its own children
        if not orphans:
            for pid, code in self.unreported.items():
                self.tell({"event": "exit", "pid": pid, "code": code})
            self.unreported.clear()

    def end(self) -> None:
        """Kill everything that descends from the node, generation by generation."""
        while True:
            kill(own_children())
            try:
                os.wait()
            except ChildProcessError:
                os._exit(0)


def ended_children() -> Iterator[tuple[int, int]]:
    """Reap every child that ended: its number, and its exit code or minus the signal's number."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def own_children() -> set[int]:
    """The children of this process, those that ended and were not reaped included."""
    found = set()
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit():
                # The name stands in brackets and may hold anything, also a bracket.
                fields = Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2]
                if int(fields.split()[1]) == os.getpid():
                    found.add(int(entry.name))
        except OSError:  # it ended meanwhile
            continue
    return found


def kill(children: set[int]) -> None:
    """Kill children; one that took another user's rights has to end by itself."""
    for pid in children:
        with contextlib.suppress(PermissionError):
            os.kill(pid, signal.SIGKILL)


def keep(wanted: dict, output: int) -> None:  # type: ignore[type-arg]
    """Stand for a container: run it, pass TERM on to it, and end as it ends; never returns."""
    try:
        die_with_parent()
        adopt_orphans()
        signal.set_wakeup_fd(-1)
        # TERM waits until there is something to pass it on to.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        supervisor = os.getpid()
        container = os.fork()
        if container == 0:
            die_with_parent()
            if os.getppid() == supervisor:
                signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
                become(wanted, output)
            os._exit(EXEC_FAILED)
        os.closerange(0, 4096)
        signal.signal(signal.SIGTERM, lambda *_: os.kill(container, signal.SIGTERM))
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        while True:
            pid, status = os.wait()
            if pid == container:
                code = os.waitstatus_to_exitcode(status)
                os._exit(code if code >= 0 else 128 - code)
    finally:
        os._exit(EXEC_FAILED)


def take_address(address: str) -> None:
    """Let the node's loopback have one more address."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        wanted = struct.pack("16sHH4s8x", b"lo:0", socket.AF_INET, 0, socket.inet_aton(address))
        fcntl.ioctl(any_socket, SIOCSIFADDR, wanted)


def listening_socket(address: str, port: int) -> socket.socket:
    """Listen on an address of the node."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(128)
    except OSError:
        listener.close()
        raise
    return listener


def become(wanted: dict, output: int) -> None:  # type: ignore[type-arg]
    """Turn this process into the container's command; never returns."""
    try:
        os.setsid()
        nothing = os.open("/dev/null", os.O_RDONLY)
        for target, source in ((0, nothing), (1, output), (2, output)):
            os.dup2(source, target)
        os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 4096 else 4096)
        signal.set_wakeup_fd(-1)
        # exec passes ignored signals on, and this interpreter ignores two of them.
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        run(wanted["argv"], wanted["environment"], wanted["directory"], wanted["root"])
    finally:
        os._exit(EXEC_FAILED)


def run(argv: list[str], environment: dict[str, str], directory: str, root: str) -> None:
    """Replace this process by the command, or say on its output why that cannot be."""
    try:
        os.chdir(directory)
    except OSError as problem:
        fail(f"chdir {directory}: {describe(problem)}", EXEC_FAILED)
    program = find_program(argv[0], environment.get("PATH", ""), root)
    if program is None:
        fail(f'exec: "{argv[0]}": executable file not found in $PATH', EXEC_FAILED)
        return
    try:
        os.execve(program, argv, environment)  # noqa: S606 - the very point: no shell between
    except OSError as problem:
        why = {errno.ENOEXEC: "exec format error", errno.ENOENT: "no such file or directory"}
        text = why.get(problem.errno or 0, describe(problem))
        code = EXEC_FAILED if problem.errno == errno.ENOENT else NOT_EXECUTABLE
        fail(f"exec {argv[0]}: {text}", code)


def find_program(name: str, path: str, root: str) -> str | None:
    """Find a program: in the image first where the name is absolute, else along PATH."""
    if name.startswith("/"):
        inside = root + name
        return inside if Path(inside).exists() else name
    return shutil.which(name, path=path)


def fail(text: str, code: int) -> None:
    """Write one line to the container's log and end it."""
    os.write(2, (text + "\n").encode(errors="replace"))
    os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
