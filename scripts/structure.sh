#!/bin/sh
# SPDX-License-Identifier: ISC
#
# structure.sh [--list | --by-dir] [TREE]: measures names and state in src/,
# and fails if a figure is above its bar. --list prints each violation with
# its place, --by-dir the figures of each directory. Exits with 77 if python3
# is missing.
set -u

if ! command -v python3 >/dev/null 2>&1; then
	echo "structure: skipped, python3 is missing"
	exit 77
fi
STRUCTURE_HOME=$(cd "$(dirname "$0")/.." && pwd)
export STRUCTURE_HOME
exec python3 - "$@" <<'EOF'
import os
import re
import signal
import subprocess
import sys

# The bars: the most that a figure may be.
BARS = {
    "one-word function names, %": 4.0,
    "tags defined twice": 0,
    "enum prefixes used twice": 0,
    "file names used twice": 0,
    "names of C++ or libc": 0,
    "structs above 32 members": 0,
    "structs above 6 flags": 0,
    "headers named *inside.h": 0,
    "directories with too many .c files": 0,
}

MEMBERS_MAX = 32
FLAGS_MAX = 6
FILES_MAX = {"src/daemon": 12}
FILES_MAX_ELSEWHERE = 30

CPP = set("""alignas alignof and and_eq asm bitand bitor bool catch char8_t
    char16_t char32_t class compl concept const_cast consteval constexpr
    constinit co_await co_return co_yield decltype delete dynamic_cast
    explicit export false friend mutable namespace new noexcept not not_eq
    nullptr operator or or_eq private protected public reinterpret_cast
    requires static_assert static_cast template this thread_local throw true
    try typeid typename using virtual wchar_t xor xor_eq""".split())

# Functions, tags and macros of the C library and of POSIX whose names are
# words that a program may want for itself.
LIBC = set("""abort abs accept access acct alarm atexit bind brk bsearch
    calloc chdir chmod chown chroot clock clone close closedir connect creat
    ctime difftime div dup error exit exp fcntl fdopen
    feof ffs fflush fileno flock floor fork free fsync getenv getline getopt
    glob index ioctl isatty kill lchown lfind link listen log log2 logb longjmp
    lseek lsearch malloc memchr mkdir mmap mount munmap nice open openat
    opendir pause perror pipe poll popen pow printf putenv puts qsort quick_exit
    raise rand random read readdir readlink realloc reboot recv regcomp remove
    rename rewind rindex rmdir round scanf select send setjmp setenv shutdown
    signal sin sleep socket splice sqrt stat stderr stdin stdout stime stty
    swab swapoff swapon symlink sync sysconf syscall sysinfo syslog system
    tan tdelete tee tfind time times tmpfile trunc truncate tsearch ttyname
    umask uname ungetc unlink unshare utime vfork vhangup vmsplice wait
    waitid waitpid warn warnx errx write y0 y1 j0 j1 jn yn gamma signgam
    dirent epoll_event group hostent ifaddrs in_addr iovec itimerspec
    msghdr option passwd pollfd sigaction sigevent sockaddr timespec timeval
    timezone tm tms utsname sockaddr_in sockaddr_in6 sockaddr_un""".split())
LIBC_MACROS = set("""BUFSIZ ECHO EOF FILENAME_MAX HUGE INFINITY IOV_MAX NAN
    NULL OVERFLOW PIPE_BUF RAND_MAX TMP_MAX UNDERFLOW DOMAIN SING PLOSS TLOSS
    ICANON ISIG IEXTEN TOSTOP NOFLSH FLUSHO PENDIN BRKINT INLCR ICRNL IGNCR
    IXON IXOFF CREAD HUPCL CLOCAL NAME_MAX PATH_MAX MAX MIN""".split())

# Macros that declare one member of a struct, as of sys/queue.h.
ENTRY_MACRO = re.compile(r"(?:[A-Z]*Q|[A-Z]*LIST|RB|SPLAY)_(?:ENTRY|HEAD)$")

TOKEN = re.compile(r"""
    (?P<skip>//(?:\\\n|[^\n])*|/\*.*?\*/|[ \t\r\f\v]+|\\\n)
  | (?P<nl>\n)
  | (?P<string>L?"(?:\\.|[^"\\\n])*"|L?'(?:\\.|[^'\\\n])*')
  | (?P<id>[A-Za-z_]\w*)
  | (?P<number>\.?\d(?:[eEpP][+-]|[\w.])*)
  | (?P<op>\.\.\.|->|.)""", re.S | re.X)


class Token:
    __slots__ = ("text", "line", "kind")

    def __init__(self, text, line, kind):
        self.text, self.line, self.kind = text, line, kind


def tokens_of(text):
    """Returns the tokens of C without comments and preprocessor lines."""
    out, line, fresh, directive = [], 1, True, False
    for m in TOKEN.finditer(text):
        kind, token = m.lastgroup, m.group()
        if kind == "nl":
            fresh, directive = True, False
        elif kind != "skip" and not directive:
            if fresh and token == "#":
                directive = True
            else:
                out.append(Token(token, line, kind))
            fresh = False
        line += token.count("\n")
    return out


PAIRS = {"(": ")", "[": "]", "{": "}"}


def closing(tokens, i):
    """Returns the index of the bracket that closes the one at i."""
    depth = 0
    for j in range(i, len(tokens)):
        if tokens[j].text in PAIRS:
            depth += 1
        elif tokens[j].text in (")", "]", "}"):
            depth -= 1
            if depth == 0:
                return j
    return len(tokens) - 1


class Record:
    """A struct or union with its direct members, or an enum."""

    def __init__(self, kind, tag, path, line):
        self.kind, self.tag, self.path, self.line = kind, tag, path, line
        self.members, self.flags = [], 0
        self.generated = self.nested = False


class File:
    def __init__(self, path):
        self.path = path
        self.functions, self.records = [], []
        with open(path, encoding="utf-8", errors="replace") as f:
            tokens = tokens_of(f.read())
        self.find_records(tokens, 0, len(tokens))
        self.find_functions(tokens)

    def find_functions(self, tokens):
        i = start = 0
        while i < len(tokens):
            text = tokens[i].text
            if text == ";":
                start = i + 1
            elif text == "{":
                name = self.function_name(tokens, start, i)
                if name:
                    self.functions.append((name.text, name.line))
                i = closing(tokens, i)
                if name:
                    start = i + 1
            i += 1

    @staticmethod
    def function_name(tokens, start, brace):
        """Returns the name if NAME (...) stands before the brace."""
        if brace == start or tokens[brace - 1].text != ")":
            return None
        depth, i = 0, brace - 1
        while i >= start:
            if tokens[i].text == ")":
                depth += 1
            elif tokens[i].text == "(":
                depth -= 1
                if depth == 0:
                    break
            i -= 1
        if i <= start or any(t.text == "=" for t in tokens[start:i]):
            return None
        name = tokens[i - 1]
        if name.kind == "id" and not name.text.startswith("__"):
            return name
        return None

    def find_records(self, tokens, i, end):
        while i < end:
            if tokens[i].text in ("struct", "union", "enum"):
                brace = i + 1
                while brace < end and tokens[brace].kind == "id":
                    brace += 1
                    if brace < end and tokens[brace - 1].text == \
                            "__attribute__" and tokens[brace].text == "(":
                        brace = closing(tokens, brace) + 1
                if brace < end and tokens[brace].text == "{":
                    self.add_record(tokens, i, brace)
            i += 1

    def add_record(self, tokens, i, brace):
        tag = tokens[brace - 1] if brace > i + 1 else None
        record = Record(tokens[i].text, tag and tag.text, self.path,
                        tokens[i].line)
        last = closing(tokens, brace)
        if record.kind == "enum":
            expect = True
            depth = 0
            for t in tokens[brace + 1:last]:
                if depth == 0 and expect and t.kind == "id":
                    record.members.append((t.text, t.line))
                    expect = False
                depth += (t.text in PAIRS) - (t.text in (")", "]", "}"))
                if depth == 0 and t.text == ",":
                    expect = True
        else:
            self.add_members(record, tokens[brace + 1:last])
        self.records.append(record)

    def add_members(self, record, body):
        i = 0
        while i < len(body):
            first = i
            depth = 0
            while i < len(body) and (depth or body[i].text != ";"):
                depth += (body[i].text in PAIRS)
                depth -= (body[i].text in (")", "]", "}"))
                i += 1
            self.add_declaration(record, body[first:i])
            i += 1

    def add_declaration(self, record, decl):
        # TABLE(ROW) without a semicolon makes members, one for each row.
        while len(decl) > 2 and decl[0].kind == "id" and \
                decl[1].text == "(" and decl[0].text.isupper():
            last = closing(decl, 1)
            if ENTRY_MACRO.search(decl[0].text):
                break
            record.generated = True
            decl = decl[last + 1:]
        if not decl:
            return
        if decl[0].text in ("struct", "union", "enum"):
            brace = next((i for i, t in enumerate(decl) if t.text == "{"),
                         None)
            if brace is not None:
                last = closing(decl, brace)
                if last == len(decl) - 1 and decl[0].text != "enum":
                    self.add_members(record, decl[brace + 1:last])
                    return
                decl = decl[:1] + decl[last + 1:]
        if ENTRY_MACRO.search(decl[0].text) and len(decl) > 1:
            decl = decl[:1] + decl[closing(decl, 1) + 1:]
        for number, part in enumerate(split(decl)):
            self.add_member(record, decl, part)

    @staticmethod
    def add_member(record, decl, part):
        texts = [t.text for t in part]
        name = None
        for i, t in enumerate(part):
            if t.text == "(" and texts[i + 1:i + 2] == ["*"]:
                name = next((u for u in part[i + 2:] if u.kind == "id"), None)
                break
            if t.text in ("[", ":", "("):
                break
            if t.kind == "id":
                name = t
        if name is None:
            return
        record.members.append((name.text, name.line))
        is_bool = decl[0].text == "bool" or \
            [t.text for t in decl[:2]] == ["const", "bool"]
        if ":" in texts or \
                is_bool and not {"*", "[", "("} & set(texts):
            record.flags += 1


def split(decl):
    """Splits a declaration at the commas outside of brackets."""
    part, depth = [], 0
    for t in decl:
        depth += (t.text in PAIRS) - (t.text in (")", "]", "}"))
        if t.text == "," and depth == 0:
            yield part
            part = []
        else:
            part.append(t)
    yield part


class Findings:
    def __init__(self):
        self.of = {name: [] for name in BARS}
        self.functions = {}

    def add(self, what, path, line, why):
        self.of[what].append((path, line, why))


def judge_names(f, out):
    here = os.path.dirname(f.path)
    for name, line in f.functions:
        out.functions[here] = out.functions.get(here, 0) + 1
        if "_" not in name and name != "main":
            out.add("one-word function names, %", f.path, line, name + "()")
        if name in CPP or name in LIBC:
            out.add("names of C++ or libc", f.path, line, name + "()")
    for r in f.records:
        if r.tag in CPP or r.tag in LIBC:
            out.add("names of C++ or libc", f.path, r.line,
                    "%s %s" % (r.kind, r.tag))
        for name, line in r.members:
            if name in CPP or r.kind == "enum" and name in LIBC_MACROS:
                out.add("names of C++ or libc", f.path, line,
                        "%s in %s %s" % (name, r.kind, r.tag or "{}"))


def judge_structs(f, out):
    for r in f.records:
        if r.kind != "struct" or r.generated:
            continue
        if len(r.members) > MEMBERS_MAX:
            out.add("structs above 32 members", f.path, r.line,
                    "struct %s: %d members" % (r.tag or "{}", len(r.members)))
        if r.flags > FLAGS_MAX:
            out.add("structs above 6 flags", f.path, r.line,
                    "struct %s: %d flags" % (r.tag or "{}", r.flags))


def judge_twice(parsed, out):
    tags, prefixes = {}, {}
    for f in parsed:
        for r in f.records:
            place = "%s:%d" % (f.path, r.line)
            if r.tag:
                if r.tag in tags:
                    out.add("tags defined twice", f.path, r.line,
                            "%s %s is also at %s" %
                            (r.kind, r.tag, tags[r.tag]))
                tags.setdefault(r.tag, place)
            if r.kind == "enum" and r.tag and len(r.members) > 1:
                common = os.path.commonprefix([m[0] for m in r.members])
                common = common[:common.rfind("_") + 1]
                here = os.path.dirname(f.path)
                if os.path.dirname(prefixes.get(common, place)) != here:
                    out.add("enum prefixes used twice", f.path, r.line,
                            "%s* of enum %s is also at %s" %
                            (common, r.tag, prefixes[common]))
                if common:
                    prefixes.setdefault(common, place)


def judge_files(paths, out):
    names, count = {}, {}
    for path in paths:
        here, name = os.path.split(path)
        if name in names and name != "main.c":
            out.add("file names used twice", path, 1,
                    "is also at " + names[name])
        names.setdefault(name, path)
        if name.endswith("inside.h"):
            out.add("headers named *inside.h", path, 1,
                    "opens the state of a directory")
        if name.endswith(".c"):
            count[here] = count.get(here, 0) + 1
    for here, n in sorted(count.items()):
        most = FILES_MAX.get(here, FILES_MAX_ELSEWHERE)
        if n > most:
            out.add("directories with too many .c files", here, 1,
                    "%d .c files, at most %d" % (n, most))


def figure(name, out):
    n = len(out.of[name])
    if name.endswith("%"):
        return 100.0 * n / max(1, sum(out.functions.values()))
    return n


def print_by_dir(out, dirs):
    print("%-14s%s" % ("", "".join("%15s" % w for w in (
        "functions", "one word, %", "tags twice", "files twice", "C++, libc",
        "members", "flags"))))
    for here in dirs:
        n = {name: sum(os.path.dirname(p) == here for p, _, _ in found)
             for name, found in out.of.items()}
        functions = out.functions.get(here, 0)
        print("%-14s%15d%15.1f%15d%15d%15d%15d%15d" % (
            here, functions,
            100.0 * n["one-word function names, %"] / max(1, functions),
            n["tags defined twice"], n["file names used twice"],
            n["names of C++ or libc"], n["structs above 32 members"],
            n["structs above 6 flags"]))


def measure(tree):
    os.chdir(tree)
    paths = sorted(os.path.join(at, name) for at, _, names in os.walk("src")
                   for name in names if name.endswith((".c", ".h")))
    parsed = [File(path) for path in paths]
    out = Findings()
    for f in parsed:
        judge_names(f, out)
        judge_structs(f, out)
    judge_twice(parsed, out)
    judge_files(paths, out)
    return out, sorted({os.path.dirname(p) for p in paths})


def default_tree():
    tree = os.environ["STRUCTURE_HOME"]
    if os.path.isdir(os.path.join(tree, "src/base")):
        return tree
    top = subprocess.run(("git", "rev-parse", "--show-toplevel"), text=True,
                         stdout=subprocess.PIPE).stdout.strip()
    return top or "."


def main(args):
    mode = args.pop(0) if args[:1] in (["--list"], ["--by-dir"]) else None
    if len(args) > 1 or args and args[0].startswith("-"):
        print("usage: structure.sh [--list | --by-dir] [TREE]",
              file=sys.stderr)
        return 2
    out, dirs = measure(args[0] if args else default_tree())
    if mode == "--list":
        for name, found in out.of.items():
            for path, line, why in found:
                print("%s:%d: %s: %s" % (path, line, name.rstrip(", %"), why))
        return 0
    if mode == "--by-dir":
        print_by_dir(out, dirs)
        return 0
    status = 0
    for name, bar in BARS.items():
        value = figure(name, out)
        print("%-36s %6.4g  bar <= %g%s" % (
            name, value, bar, "" if value <= bar else "  FAILS"))
        status |= value > bar
    return status


signal.signal(signal.SIGPIPE, signal.SIG_DFL)
sys.exit(main(sys.argv[1:]))
EOF
