"""The init program of a node: the first process of its network and process namespace.

It is run by its path with `python -I -S`, so it imports the standard library only. It brings up the
node's loopback, launches and reaps containers, and sends the server sockets of the node's network.
When the control socket closes, or a process between it and the server dies, the node ends.

Without namespaces, `SharedNode` adopts and kills the orphans of containers, which the kernel does
for a namespace.

Each message is a JSON object in one packet of a SOCK_SEQPACKET pair, with file descriptors.
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
    control = socket.socket(fileno=control_fd)
    control.set_inheritable(False)
    if kind == "isolated":
        serve_isolated(control, server_pid)
    else:
        adopt_orphans()
        SharedNode(control).serve()


def serve_isolated(control: socket.socket, server_pid: int) -> None:
    try:
        enter_namespaces()
    except OSError as problem:
        control.send(json.dumps({"event": "refused", "why": describe(problem)}).encode())
        return
    # Not earlier, because the change of credentials in a user namespace clears this setting.
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
    try:
        os.unshare(os.CLONE_NEWNET | os.CLONE_NEWPID)
    except PermissionError:
        # An unprivileged user, or root in a container, needs a user namespace.
        uid, gid = os.geteuid(), os.getegid()
        os.unshare(os.CLONE_NEWUSER | os.CLONE_NEWNET | os.CLONE_NEWPID)
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {uid} 1")
        Path("/proc/self/gid_map").write_text(f"0 {gid} 1")


def die_with_parent() -> None:
    """Have the kernel send KILL to this process when its parent dies."""
    prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    prctl(PR_SET_CHILD_SUBREAPER, 1)


def prctl(option: int, value: int) -> None:
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


def raise_loopback() -> None:
    """Bring up `lo`, which is down in a new network namespace."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14x", b"lo", 0)
        answer = fcntl.ioctl(any_socket, SIOCGIFFLAGS, request)
        flags = struct.unpack("16sH14x", answer)[1]
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", flags | IFF_UP))


def describe(problem: OSError) -> str:
    return f"{problem.strerror or problem} ({errno.errorcode.get(problem.errno or 0, 'unknown')})"


class IsolatedNode:
    """A node in its own namespaces. The kernel ends all processes of a container with its first."""

    def __init__(self, control: socket.socket) -> None:
        self.control = control
        self.children: set[int] = set()
        self.own_processes = os.open("/proc/self/ns/pid", os.O_RDONLY | os.O_CLOEXEC)

    def serve(self) -> None:
        """Answer requests and report exits until the server has ended."""
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
        """Carry out one request. The reply has the request's number."""
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
        """Send one message. The node ends if the server has ended."""
        try:
            socket.send_fds(self.control, [json.dumps(message).encode()], descriptors or [])
        except OSError:
            self.end()

    def launch(self, description: int, output: int) -> int:
        """Start a container and return the number of its process or of its supervisor."""
        with open(os.dup(description), "rb") as source:  # noqa: PTH123 - a descriptor, not a path
            source.seek(0)
            wanted = json.load(source)
        pid = self.fork(wanted, output)
        self.children.add(pid)
        return pid

    def signal(self, pid: int, number: int) -> None:
        if pid in self.children:
            os.kill(pid, number)

    def reap(self) -> None:
        """Report every container that ended: its exit code, or minus the signal's number."""
        for pid, code in ended_children():
            self.children.discard(pid)
            self.tell({"event": "exit", "pid": pid, "code": code})

    def fork(self, wanted: dict, output: int) -> int:  # type: ignore[type-arg]
        """Fork the container as the first process of a process namespace of its own."""
        os.unshare(os.CLONE_NEWPID)
        pid = os.fork()
        if pid == 0:
            become(wanted, output)
        # Later children belong to this node again. Otherwise a second unshare would be refused.
        os.setns(self.own_processes, os.CLONE_NEWPID)
        return pid

    def end(self) -> None:
        """End the node: the kernel ends all its processes with the first one."""
        os._exit(0)


class SharedNode(IsolatedNode):
    """A node among the processes of the machine.

    Each container has a supervisor process that adopts the container's orphans. When the supervisor
    ends, the node adopts the orphans and kills them.
    """

    def __init__(self, control: socket.socket) -> None:
        super().__init__(control)
        self.unreported: dict[int, int] = {}

    def fork(self, wanted: dict, output: int) -> int:  # type: ignore[type-arg]
        pid = os.fork()
        if pid == 0:
            keep(wanted, output)
        return pid

    def reap(self) -> None:
        """Report the containers that ended, once all their processes have ended."""
        for pid, code in ended_children():
            if pid in self.children:
                self.children.discard(pid)
                self.unreported[pid] = code
        orphans = own_children() - self.children
        kill(orphans)  # the end of each orphan calls this method again
        if not orphans:
            for pid, code in self.unreported.items():
                self.tell({"event": "exit", "pid": pid, "code": code})
            self.unreported.clear()

    def end(self) -> None:
        """Kill all descendants of the node, generation by generation."""
        while True:
            kill(own_children())
            try:
                os.wait()
            except ChildProcessError:
                os._exit(0)


def ended_children() -> Iterator[tuple[int, int]]:
    """Reap every ended child: its number, and its exit code or minus the signal's number."""
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        yield pid, os.waitstatus_to_exitcode(status)


def own_children() -> set[int]:
    """The children of this process, also ended ones that were not reaped."""
    found = set()
    for entry in os.scandir("/proc"):
        try:
            if entry.name.isdigit():
                # The name in brackets can contain brackets.
                fields = Path(entry.path, "stat").read_text(errors="replace").rpartition(")")[2]
                if int(fields.split()[1]) == os.getpid():
                    found.add(int(entry.name))
        except OSError:  # it ended meanwhile
            continue
    return found


def kill(children: set[int]) -> None:
    """Kill children, except one that runs as another user."""
    for pid in children:
        with contextlib.suppress(PermissionError):
            os.kill(pid, signal.SIGKILL)


def keep(wanted: dict, output: int) -> None:  # type: ignore[type-arg]
    """Run a container, forward TERM to it, and end with its exit code. Never returns."""
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
    """Add an address to the node's loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        wanted = struct.pack("16sHH4s8x", b"lo:0", socket.AF_INET, 0, socket.inet_aton(address))
        fcntl.ioctl(any_socket, SIOCSIFADDR, wanted)


def listening_socket(address: str, port: int) -> socket.socket:
    return socket.create_server((address, port), backlog=128)


def become(wanted: dict, output: int) -> None:  # type: ignore[type-arg]
    """Turn this process into the container's command. Never returns."""
    try:
        os.setsid()
        nothing = os.open("/dev/null", os.O_RDONLY)
        for target, source in ((0, nothing), (1, output), (2, output)):
            os.dup2(source, target)
        os.closerange(3, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 4096 else 4096)
        signal.set_wakeup_fd(-1)
        # A signal that this interpreter ignores would stay ignored after exec.
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        run(wanted["argv"], wanted["environment"], wanted["directory"], wanted["root"])
    finally:
        os._exit(EXEC_FAILED)


def run(argv: list[str], environment: dict[str, str], directory: str, root: str) -> None:
    """Replace this process by the command, or write to its output why that is not possible."""
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
    """Find a program. An absolute path is looked up in the image first."""
    if name.startswith("/"):
        inside = root + name
        return inside if Path(inside).exists() else name
    return shutil.which(name, path=path)


def fail(text: str, code: int) -> None:
    os.write(2, (text + "\n").encode(errors="replace"))
    os._exit(code)


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3])
