# SPDX-License-Identifier: MIT
"""Makes the VM's initial file system.

It is a chain of cpio archives, which the kernel unpacks one over the other:
the base (busybox and init) and the kernel's modules, both kept in the cache,
then what belongs to one run. Archives are written here rather than by
cpio(1), so that owners and device nodes need no privileges.
"""
import hashlib
import lzma
import os
import re
import stat
import subprocess
import tempfile
import time

# Modules that the driver, its peers and the tests may need; with all that
# these depend on. A kernel that has one built in, or not at all, is fine.
MODULES = """
    drm drm_kms_helper ttm drm_ttm_helper gpu_buddy drm_buddy drm_exec drm_gpuvm
    drm_suballoc_helper drm_shmem_helper gpu-sched vgem bochs qxl virtio-gpu
    virtio_blk zram lz4 uio uio_pci_generic cuse
    ttm_device_test ttm_pool_test ttm_resource_test ttm_tt_test ttm_bo_test
    ttm_bo_validate_test drm_buddy_test drm_mm_test drm_exec_test
    drm_gem_shmem_test drm_managed_test
""".split()

USER = 1000
_KEPT_SECONDS = 30 * 86400


class Error(Exception):
    """A failure with a message for the user."""


class Archive:
    """A cpio archive in the format "newc", written to a file object."""

    def __init__(self, out):
        self.out = out
        self.inode = 0
        self.known = set()

    def _entry(self, name, mode, size=0, rdev=(0, 0), uid=0):
        self.inode += 1
        raw = name.encode("utf-8", "surrogateescape") + b"\0"
        fields = [self.inode, mode, uid, uid, 1, 0, size, 0, 0,
                  rdev[0], rdev[1], len(raw), 0]
        header = b"070701" + b"".join(b"%08X" % f for f in fields) + raw
        self.out.write(header + b"\0" * (-len(header) % 4))

    def _parents(self, name):
        parts = name.split("/")[:-1]
        for i in range(len(parts)):
            self.directory("/".join(parts[:i + 1]))

    def directory(self, name, mode=0o755, uid=0):
        if name in self.known:
            return
        self._parents(name)
        self.known.add(name)
        self._entry(name, stat.S_IFDIR | mode, uid=uid)

    def data(self, name, data, mode=0o644):
        self._parents(name)
        if isinstance(data, str):
            data = data.encode("utf-8", "surrogateescape")
        self._entry(name, stat.S_IFREG | mode, len(data))
        self.out.write(data + b"\0" * (-len(data) % 4))

    def file(self, name, path, mode=None):
        with open(path, "rb") as f:
            if mode is None:
                mode = 0o755 if os.fstat(f.fileno()).st_mode & 0o111 else 0o644
            self.data(name, f.read(), mode)

    def symlink(self, name, target):
        self._parents(name)
        raw = target.encode("utf-8", "surrogateescape")
        self._entry(name, stat.S_IFLNK | 0o777, len(raw))
        self.out.write(raw + b"\0" * (-len(raw) % 4))

    def node(self, name, mode, major, minor):
        self._parents(name)
        self._entry(name, stat.S_IFCHR | mode, rdev=(major, minor))

    def end(self):
        self._entry("TRAILER!!!", 0)
        # The kernel looks for the next archive at a multiple of four.
        self.out.write(b"\0" * (-self.out.tell() % 512))


def _cached(cache, kind, key, write):
    """The path of a cached archive, made by write(archive) if need be."""
    folder = os.path.join(cache, "initramfs")
    path = os.path.join(folder, f"{kind}-{key[:16]}.cpio")
    if not os.path.exists(path):
        os.makedirs(folder, exist_ok=True)
        fd, temporary = tempfile.mkstemp(prefix="new-", dir=folder)
        try:
            with os.fdopen(fd, "wb") as out:
                archive = Archive(out)
                write(archive)
                archive.end()
            os.rename(temporary, path)
        except BaseException:
            os.unlink(temporary)
            raise
        prune(cache)
    os.utime(path)
    return path


def prune(cache):
    """Removes what was generated and not used for a month, such as the
    archives of older versions and the verdicts on KVM of earlier boots."""
    limit = time.time() - _KEPT_SECONDS
    for folder, pattern in ((os.path.join(cache, "initramfs"), ""),
                            (cache, "kvm-")):
        if not os.path.isdir(folder):
            continue
        for entry in os.scandir(folder):
            try:
                if entry.name.startswith(pattern) and entry.is_file() \
                        and entry.stat().st_mtime < limit:
                    os.unlink(entry.path)
            except FileNotFoundError:
                pass    # another run was faster


def _digest(*parts):
    h = hashlib.sha256()
    for part in parts:
        h.update(part if isinstance(part, bytes) else part.encode())
        h.update(b"\0")
    return h.hexdigest()


def _read(path, mode="rb"):
    with open(path, mode) as f:
        return f.read()


# ------------------------------------------------------------------- base --

def _find_busybox():
    for path in ("/bin/busybox", "/usr/bin/busybox"):
        if os.access(path, os.X_OK):
            data = _read(path)
            if b"/lib64/ld-linux" in data[:4096]:
                raise Error(f"{path} is not static: install busybox-static")
            return path, data
    raise Error("busybox is missing: install busybox-static")


def base(cache, init_path):
    """The archive with busybox, init and the users."""
    path, busybox = _find_busybox()
    init = _read(init_path)
    with open(__file__, "rb") as f:
        key = _digest(busybox, init, f.read())

    def write(archive):
        names = subprocess.run([path, "--list"], check=True, text=True,
                               stdout=subprocess.PIPE).stdout.split()
        for name in ("bin", "sbin", "usr/bin", "usr/sbin", "etc", "dev", "lib",
                     "proc", "run", "sys", "tmp", "var", "mnt"):
            archive.directory(name)
        archive.directory("root", 0o700)
        archive.directory("home/user", 0o755, USER)
        archive.node("dev/console", 0o600, 5, 1)
        archive.node("dev/null", 0o666, 1, 3)
        archive.data("bin/busybox", busybox, 0o755)
        for name in names:
            if name != "busybox":
                archive.symlink(f"bin/{name}", "busybox")
        for name in ("modprobe", "insmod", "rmmod", "lsmod", "init"):
            archive.symlink(f"sbin/{name}", "../bin/busybox")
        archive.symlink("lib64", "lib")
        archive.symlink("usr/bin/env", "../../bin/busybox")
        archive.data("init", init, 0o755)
        archive.data("etc/passwd", "root:x:0:0:root:/root:/bin/sh\n"
                     f"user:x:{USER}:{USER}:user:/home/user:/bin/sh\n")
        archive.data("etc/group", f"root:x:0:\nuser:x:{USER}:\n")
        # As they are, they would ask the first process, which is a script.
        archive.data("etc/shell", "".join(
            f"{name}() {{ busybox poweroff -f; }}\n"
            for name in ("poweroff", "halt", "reboot")))
        archive.data("etc/mdev.conf", "dri/renderD.* 0:0 666\n"
                     "renderD.* 0:0 666 =dri/\n"
                     "dri/card.* 0:0 660\n"
                     "null 0:0 666\nzero 0:0 666\nfull 0:0 666\n"
                     "random 0:0 666\nurandom 0:0 666\n"
                     "tty 0:0 666\nptmx 0:0 666\n")

    return _cached(cache, "base", key, write)


# ---------------------------------------------------------------- modules --

def _module_name(path):
    name = os.path.basename(path)
    return re.sub(r"\.ko(\.\w+)?$", "", name).replace("-", "_")


def _decompress(path):
    data = _read(path)
    if path.endswith(".xz"):
        return lzma.decompress(data)
    for suffix, tool in ((".zst", "zstd"), (".gz", "gzip")):
        if path.endswith(suffix):
            return subprocess.run([tool, "-dc"], input=data, check=True,
                                  stdout=subprocess.PIPE).stdout
    return data


def _find_modules(tree):
    """Maps each module's name to its path below the tree."""
    found = {}
    for folder, _, names in os.walk(os.path.join(tree, "kernel")):
        for name in names:
            if re.search(r"\.ko(\.\w+)?$", name):
                path = os.path.join(folder, name)
                found[_module_name(name)] = os.path.relpath(path, tree)
    return found


def module_depends(data):
    """The modules that a module, given its bytes, says it depends on."""
    match = re.search(rb"(?:^|\0)depends=([^\0]*)\0", data)
    names = match.group(1).decode() if match else ""
    return [n.replace("-", "_") for n in names.split(",") if n]


def _append_new(items, more):
    items += [item for item in more if item not in items]


class Modules:
    """The pruned module tree of a kernel, and its archive."""

    def __init__(self, kernel, cache):
        self.release = _read(os.path.join(kernel, "release"), "r").strip()
        self.tree = os.path.realpath(os.path.join(kernel, "modules"))
        self.prefix = f"lib/modules/{self.release}"
        with open(__file__, "rb") as f:
            source = f.read()
        found = _find_modules(self.tree)
        stamps = []
        for name, path in sorted(found.items()):
            info = os.stat(os.path.join(self.tree, path))
            stamps.append(f"{name} {info.st_size} {info.st_mtime_ns}")
        key = _digest(self.release, source, "\n".join(stamps))
        index = os.path.join(cache, "initramfs", f"modules-{key[:16]}.dep")
        if not os.path.exists(index):
            self._collect(found, index)
        os.utime(index)
        self.depends = {}
        for line in _read(index, "r").splitlines():
            path, needs = line.split(":")
            self.depends[_module_name(path)] = (path, needs.split())
        self.archive = _cached(cache, "modules", key, self._write)

    def _collect(self, found, index):
        """Writes the index: each module's path and what it needs, in the
        format of modules.dep."""
        lines, seen = [], {}

        def visit(name):
            """What to load before a module, in order."""
            if name in seen or name not in found:
                return seen.get(name, [])
            seen[name] = before = []
            data = _decompress(os.path.join(self.tree, found[name]))
            for other in module_depends(data):
                _append_new(before, visit(other))
                if other in found:
                    _append_new(before, [self._staged(found, other)])
            # modprobe loads what modules.dep lists from right to left.
            needs = " ".join(reversed(before))
            lines.append(f"{self._staged(found, name)}: {needs}")
            return before

        for name in MODULES:
            visit(name.replace("-", "_"))
        os.makedirs(os.path.dirname(index), exist_ok=True)
        fd, temporary = tempfile.mkstemp(dir=os.path.dirname(index))
        with os.fdopen(fd, "w") as f:
            f.write("".join(line + "\n" for line in lines))
        os.rename(temporary, index)

    @staticmethod
    def _staged(found, name):
        path = found.get(name)
        return path and re.sub(r"\.ko\.\w+$", ".ko", path)

    def _write(self, archive):
        found = _find_modules(self.tree)
        for name, (path, _) in self.depends.items():
            source = os.path.join(self.tree, found[name])
            archive.data(f"{self.prefix}/{path}", _decompress(source))
        for name in ("modules.builtin", "modules.order"):
            path = os.path.join(self.tree, name)
            archive.data(f"{self.prefix}/{name}",
                         _read(path) if os.path.exists(path) else "")
        for name in ("modules.symbols", "modules.devname", "modules.softdep"):
            archive.data(f"{self.prefix}/{name}", "")

    def _before(self, name, own):
        """What has to be loaded before one of the run's own modules, in order."""
        before = []
        for other in module_depends(own[name]):
            if other in own:
                _append_new(before, self._before(other, own) + [f"extra/{other}.ko"])
            elif other in self.depends:
                path, needs = self.depends[other]
                _append_new(before, needs[::-1] + [path])
        return before

    def add(self, archive, extra):
        """Writes the run's own modules and the index that modprobe reads."""
        lines = [f"{path}: {' '.join(needs)}".rstrip()
                 for path, needs in self.depends.values()]
        aliases = []
        own = {_module_name(path): _read(path) for path in extra}
        for name, data in own.items():
            before = self._before(name, own)
            archive.data(f"{self.prefix}/extra/{name}.ko", data)
            needs = " ".join(reversed(before))
            lines.append(f"extra/{name}.ko: {needs}".rstrip())
            for alias in re.findall(rb"(?:^|\0)alias=([^\0]+)", data):
                aliases.append(f"alias {alias.decode()} {name}")
        archive.data(f"{self.prefix}/modules.dep", "\n".join(lines) + "\n")
        archive.data(f"{self.prefix}/modules.alias",
                     "".join(a + "\n" for a in aliases))


# --------------------------------------------------------------- terminal --

TERMINFO = ("/etc/terminfo", "/lib/terminfo", "/usr/share/terminfo")
LOCALE = "/usr/lib/locale/C.utf8"


def is_utf8():
    """Is the terminal here one of UTF-8, and can the VM be told?"""
    value = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_CTYPE", "LANG"))), "")
    return bool(re.search(r"utf-?8$", value, re.I)) and os.path.isdir(LOCALE)


def terminal(archive, name):
    """What full-screen programs want to know of the terminal of this name, and of
    UTF-8; as far as the host knows it."""
    folders = (os.environ.get("TERMINFO"), os.path.expanduser("~/.terminfo"), *TERMINFO)
    for folder in filter(None, folders):
        path = os.path.join(folder, name[:1], name)
        if re.fullmatch(r"[\w.+-]+", name) and os.path.isfile(path):
            archive.file(f"usr/share/terminfo/{name[0]}/{name}", path)
            break
    if is_utf8():
        for parent, _, names in os.walk(LOCALE):
            for name in names:
                path = os.path.join(parent, name)
                archive.file(path.lstrip("/"), path)


# ---------------------------------------------------------------- payload --

def _libraries(path):
    """The shared objects that a program needs, as ldd finds them."""
    out = subprocess.run(["ldd", path], text=True, stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL).stdout
    missing = re.findall(r"^\s*(\S+) => not found", out, re.M)
    if missing:
        raise Error(f"{path}: needs {missing[0]}, which this host lacks")
    return re.findall(r"(?:=> |^\s+)(/\S+) \(0x", out, re.M)


def _is_elf(path):
    with open(path, "rb") as f:
        return f.read(4) == b"\x7fELF"


def payload(archive, folder):
    """Copies a folder to /payload, and the libraries that its programs need
    to where they look for them."""
    libraries = set()
    archive.directory("payload")
    for parent, folders, names in os.walk(folder):
        inside = os.path.relpath(parent, folder)
        target = "payload" if inside == "." else f"payload/{inside}"
        archive.directory(target)
        for name in sorted(names) + sorted(folders):
            path = os.path.join(parent, name)
            if os.path.islink(path) and (
                    os.path.isdir(path) or not os.path.exists(path)):
                archive.symlink(f"{target}/{name}", os.readlink(path))
            elif os.path.isfile(path):
                archive.file(f"{target}/{name}", path)
                if os.access(path, os.X_OK) and _is_elf(path):
                    libraries.update(_libraries(path))
    for path in sorted(libraries):
        # /lib64 is a link to /lib in the base.
        name = re.sub(r"^/(usr/)?lib64/", "/lib/", path).lstrip("/")
        archive.file(name, os.path.realpath(path), 0o755)
