"""What a program may rely on of its sockets, asserted by one that is launched: flow.launch_sockets.

Each `case_…` is one promise of bind(2), listen(2), connect(2) and socket(7).
"""
import ctypes
import errno
import fcntl
import os
import resource
import select
import socket
import struct
import subprocess
import sys
import threading

TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
V4, V6 = socket.AF_INET, socket.AF_INET6


def refused(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return errno.errorcode[error.errno]
    return None


def listener(family=V4, address="127.0.0.1", port=0):
    s = socket.socket(family, TCP)
    s.bind((address, port))
    s.listen()
    return s


def greets(server, family, address):
    client = socket.socket(family, TCP)
    client.connect((address, server.getsockname()[1]))
    accepted, peer = server.accept()
    accepted.sendall(b"hello")
    assert client.recv(9) == b"hello"
    assert client.getpeername()[1] == server.getsockname()[1]
    assert peer[1] == client.getsockname()[1]
    client.close()
    accepted.close()


def case_name_of_what_is_bound():
    s = socket.socket(V4, TCP)
    s.bind(("127.0.0.1", 0))
    address, port = s.getsockname()
    assert address == "127.0.0.1" and port != 0
    s.listen()
    assert s.getsockname() == ("127.0.0.1", port)


def case_both_families():
    greets(listener(), V4, "127.0.0.1")
    greets(listener(V6, "::1"), V6, "::1")
    dual = socket.socket(V6, TCP)
    dual.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
    dual.bind(("::", 0))
    dual.listen()
    greets(dual, V4, "127.0.0.1")
    greets(dual, V6, "::1")
    greets(dual, V6, "::ffff:127.0.0.1")
    greets(dual, V4, "0.0.0.0")


def case_both_at_one_port():
    first = listener()
    port = first.getsockname()[1]
    only = socket.socket(V6, TCP)
    only.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    only.bind(("::1", port))
    only.listen()
    greets(first, V4, "127.0.0.1")
    greets(only, V6, "::1")


def case_what_is_in_use():
    first = listener()
    port = first.getsockname()[1]
    s = socket.socket(V4, TCP)
    assert refused(s.bind, ("127.0.0.1", port)) == "EADDRINUSE"
    first.close()
    s.bind(("127.0.0.1", port))
    s.listen()


def case_what_is_wrong():
    s = socket.socket(V4, TCP)
    assert refused(s.bind, ("192.0.2.1", 0)) == "EADDRNOTAVAIL"
    s.bind(("127.0.0.1", 0))
    assert refused(s.bind, ("127.0.0.1", 0)) == "EINVAL"
    assert refused(socket.socket(V4, UDP).listen) == "ENOTSUP"
    server = listener()
    client = socket.create_connection(server.getsockname())
    assert refused(client.listen) == "EINVAL"
    assert refused(client.connect, ("127.0.0.1", 1)) == "EISCONN"


def case_raw_arguments():
    libc = __import__("ctypes").CDLL(None, use_errno=True)
    ctypes = __import__("ctypes")

    def errno_of(result):
        return errno.errorcode[ctypes.get_errno()] if result < 0 else None

    s = socket.socket(V4, TCP)
    name = struct.pack("=HH4s8s", V4, 0, socket.inet_aton("127.0.0.1"), b"")
    assert errno_of(libc.bind(s.fileno(), name, 200)) == "EINVAL"
    assert errno_of(libc.bind(s.fileno(), name, -1)) == "EINVAL"
    assert errno_of(libc.bind(s.fileno(), name, 8)) == "EINVAL"
    assert errno_of(libc.bind(s.fileno(), ctypes.c_void_p(8), 16)) == "EFAULT"
    assert errno_of(libc.bind(999, name, 16)) == "EBADF"
    assert errno_of(libc.listen(999, 1)) == "EBADF"
    assert errno_of(libc.connect(999, name, 16)) == "EBADF"
    with open("/dev/null") as file:
        assert errno_of(libc.bind(file.fileno(), name, 16)) == "ENOTSOCK"
        assert errno_of(libc.listen(file.fileno(), 1)) == "ENOTSOCK"
    other = struct.pack("=HH4s8s", V6, 0, socket.inet_aton("127.0.0.1"), b"")
    assert errno_of(libc.bind(s.fileno(), other, 16)) == "EAFNOSUPPORT"
    none = struct.pack("=HH12s", 0, 0, b"")
    assert errno_of(libc.bind(s.fileno(), none, 16)) in ("EAFNOSUPPORT", None)


def case_descriptor_flags():
    for inheritable in (False, True):
        for blocking in (False, True):
            s = socket.socket(V4, TCP)
            s.set_inheritable(inheritable)
            s.setblocking(blocking)
            s.bind(("127.0.0.1", 0))
            s.listen()
            assert bool(fcntl.fcntl(s, fcntl.F_GETFD) & fcntl.FD_CLOEXEC) != inheritable
            assert bool(fcntl.fcntl(s, fcntl.F_GETFL) & os.O_NONBLOCK) != blocking


def case_options():
    s = socket.socket(V4, TCP)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 50000)
    s.bind(("127.0.0.1", 0))
    s.listen()
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR) == 1
    assert s.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert s.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 100000


def case_shared_port():
    first = socket.socket(V4, TCP)
    first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    first.bind(("127.0.0.1", 0))
    first.listen()
    second = socket.socket(V4, TCP)
    second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    second.bind(first.getsockname())
    second.listen()


def case_low_port():
    s = listener(port=80)
    assert s.getsockname()[1] == 80
    greets(s, V4, "127.0.0.1")


def case_connects_without_waiting():
    server = listener()
    s = socket.socket(V4, TCP)
    s.setblocking(False)
    assert s.connect_ex(server.getsockname()) in (0, errno.EINPROGRESS)
    assert select.select([], [s], [], 10)[1] == [s]
    assert s.connect_ex(server.getsockname()) in (0, errno.EISCONN)


def case_a_closed_port_is_the_hosts_again():
    server = listener()
    name = server.getsockname()
    greets(server, V4, "127.0.0.1")
    server.close()
    assert refused(socket.create_connection, name) == "ECONNREFUSED"


def case_datagrams():
    server = socket.socket(V4, UDP)
    server.bind(("127.0.0.1", 5353))
    client = socket.socket(V4, UDP)
    client.connect(("127.0.0.1", 5353))
    client.send(b"hello")
    assert server.recv(9) == b"hello"
    unbound = socket.socket(V4, UDP)
    unbound.bind(("127.0.0.1", 0))
    assert unbound.getsockname()[1] != 0


def case_threads_and_children():
    found = []

    def serve():
        s = listener()
        found.append(s.getsockname())
        s.accept()[0].sendall(b"thread")

    thread = threading.Thread(target=serve)
    thread.start()
    while not found:
        pass
    script = f"import socket; print(socket.create_connection({found[0]!r}).recv(9).decode(), end='')"
    assert subprocess.check_output([sys.executable, "-c", script]) == b"thread"
    thread.join()


def case_an_inherited_listener():
    s = listener()
    s.set_inheritable(True)
    script = f"import socket; socket.socket(fileno={s.fileno()}).accept()[0].sendall(b'child')"
    with subprocess.Popen([sys.executable, "-c", script], close_fds=False):
        assert socket.create_connection(s.getsockname()).recv(9) == b"child"


def case_undumpable():
    prctl = __import__("ctypes").CDLL(None).prctl
    assert prctl(4, 0, 0, 0, 0) == 0  # PR_SET_DUMPABLE
    greets(listener(), V4, "127.0.0.1")
    path = f"/tmp/undumpable.{os.getpid()}.{os.urandom(8).hex()}"
    s = socket.socket(socket.AF_UNIX, TCP)
    s.bind(path)
    s.listen()
    os.unlink(path)
    assert prctl(4, 1, 0, 0, 0) == 0


def case_unix():
    path = f"/tmp/unix.{os.getpid()}.{os.urandom(8).hex()}"
    for name, mode in ((path, 0o600), ("\0" + path, None)):
        s = socket.socket(socket.AF_UNIX, TCP | socket.SOCK_NONBLOCK)
        assert fcntl.fcntl(s, fcntl.F_GETFL) & os.O_NONBLOCK and not s.get_inheritable()
        assert os.fstat(s.fileno()).st_uid == os.geteuid()
        os.fchmod(s.fileno(), 0o600)
        s.bind(name)
        s.listen()
        assert mode is None or os.stat(name).st_mode & 0o777 == mode
        client = socket.socket(socket.AF_UNIX, TCP)
        client.connect(name)
        peer, _ = s.accept()
        for end in (client, peer):
            pid, *who = struct.unpack("iII", end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
            assert who == [os.geteuid(), os.getegid()] and (end is client or pid == os.getpid())
    os.unlink(path)
    assert refused(socket.socket, socket.AF_UNIX, TCP, 5) == "EPROTONOSUPPORT"


def case_pairs():
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_SEQPACKET):
        one, other = socket.socketpair(socket.AF_UNIX, kind | socket.SOCK_NONBLOCK)
        assert (one.type, other.type) == (kind, kind) and not other.get_inheritable()
        assert fcntl.fcntl(one, fcntl.F_GETFL) & os.O_NONBLOCK
        one.send(b"there")
        other.send(b"back")
        assert (one.recv(9), other.recv(9)) == (b"back", b"there")
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM, 0, None) == -1 and ctypes.get_errno() == errno.EFAULT
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, before[1]))
    for make in (socket.socket, socket.socketpair):
        assert refused(make, socket.AF_UNIX, socket.SOCK_DGRAM) == "EMFILE"
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def case_queue_of_datagrams():
    with open("/proc/sys/net/unix/max_dgram_qlen", encoding="ascii") as setting:
        most = int(setting.read())
    heard = socket.socket(socket.AF_UNIX, UDP)
    heard.bind("")
    sender = socket.socket(socket.AF_UNIX, UDP | socket.SOCK_NONBLOCK)
    sender.connect(heard.getsockname())
    sent = 0
    while sent < 2 * most and refused(sender.send, b"x") is None:
        sent += 1
    assert sent in (most, most + 1), (sent, most)


def case_names_are_looked_up():
    assert socket.getaddrinfo("localhost", 80)


def case_netlink_groups():
    s = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
    s.bind((0, 1))  # RTMGRP_LINK: anybody may hear it
    assert s.getsockname()[1] == 1
    audit = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 9)  # not for anybody
    assert refused(audit.bind, (0, 1)) == "EPERM" or os.geteuid() == 0


for name, case in list(globals().items()):
    if name.startswith("case_"):
        case()
        print(name, file=sys.stderr, flush=True)
