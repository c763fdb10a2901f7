#!/bin/sh
# SPDX-License-Identifier: ISC
#
# words.sh [--list | --by-dir] [--tree TREE] [PATH...]: measures the language
# of comments, of user texts and of commit subjects, and fails if a figure is
# on the wrong side of its bar. --list prints the lines that offend, --by-dir
# the figures of each directory; with PATHs (files or directories) only these
# are read and commit subjects are not. Exits with 77 if python3 is missing.
set -u

if ! command -v python3 >/dev/null 2>&1; then
	echo "words: skipped, python3 is missing"
	exit 77
fi
WORDS_HOME=$(cd "$(dirname "$0")/.." && pwd)
export WORDS_HOME PYTHONDONTWRITEBYTECODE=1
exec python3 - "$@" <<'EOF'
import os
import re
import signal
import subprocess
import sys

# The bars. Figures are per 1,000 words; "commits" counts subjects.
BARS = {
    # what                       at most / at least
    "comments, who": ("<", 1.0),
    "comments, told": ("<", 1.0),
    "comments, verbs": (">", 15.0),
    "user texts, who": ("<", 2.0),
    "commits": ("<=", 0),
}

# Subjects of later commits have the form "module: imperative".
BASE = "8772190"

# (a) Words for people, which a packet or a node is not.
WHO = """who whoever whom whomever whose nobody somebody everybody anybody
    anyone someone everyone no-one""".split()

# (b) Words for talk, where a manual says notifies, receives, reports.
TOLD = "told tells tell telling said says say saying heard hears hear " \
    "hearing".split()

# (c) What functions do, in the third person, as in the manual pages of
# sections 2 and 3 and in the comments of lldpd, ngtcp2, quicly, tmux and
# WireGuard. Verbs whose form is mostly a noun in this code (limits, counts,
# times, rates, records, streams, punches, hashes, keys) are not on the list.
VERBS = """accepts acknowledges adds allocates appends applies assigns associates
    attaches broadcasts builds calculates cancels checks cleans clears
    closes collects compares compresses computes configures confirms
    connects constructs contains converts copies creates decodes
    decrements decrypts deletes delivers derives destroys detaches detects
    determines disables disconnects dispatches drains drops enables
    encodes encrypts enqueues ensures enters evicts executes expires
    extracts finds flushes formats forwards frees generates handles
    identifies ignores implements increments indicates initialises
    initializes inserts installs invalidates iterates locates merges
    migrates modifies notifies obtains opens parses performs permits pops
    prevents prints produces provides prunes publishes pushes reads
    rebuilds receives recomputes reduces refreshes registers rejects
    releases reloads removes renews replaces reports represents requires
    resets resizes resolves restarts restores resumes retransmits retries
    retrieves returns reverts saves schedules selects sends sets shuts
    skips specifies splits starts stops stores strips submits takes
    terminates triggers truncates unlinks unregisters updates validates
    verifies wakes wipes wraps writes yields zeroes""".split()

# Verbs that a commit subject may begin with. Add one that is missing.
IMPERATIVES = """abandon abort absorb abstract accelerate accept account acknowledge adapt
    add address adjust advance advertise align allocate allow anchor
    annotate announce answer append apply archive arm ask assert assign
    assume attach attribute authenticate avoid back balance bar batch
    begin bind block bound break bring build bump cache calibrate call
    cancel cap carry cast catch centralise chain change characterise
    charge check choose cite clamp clarify clean clear clone close
    coalesce collapse collect combine comment compare compile complete
    compress compute condense configure confirm connect consolidate
    constrain contain convert copy correct correlate count cover crash
    create credit cut deal decide declare decode decouple dedicate
    deduplicate deepen default defer define delay delegate delete deliver
    demote deprecate derive describe detach detect determine dial disable
    disallow disambiguate discard disconnect dispatch display distinguish
    distribute divide document double downgrade drain draw drive drop dump
    duplicate ease edit elect elide eliminate embed emit enable encode
    encrypt end enforce enlarge enqueue ensure enter enumerate erase
    escape estimate evaluate evict examine exchange exclude execute exempt
    exercise exhaust exit expand expect expire explain export expose
    extend extract factor fail fall fetch file filter find finish fit fix
    flag flatten flush fold follow forbid force forget fork formalise
    format forward free freeze fuse fuzz gate gather generalise generate
    get give grant group grow guard hand handle hang harden hash help hide
    highlight hint hoist hold honor honour host identify ignore implement
    imply import improve include increase index indicate infer inform
    initialise initialize inject inline insert inspect install instrument
    integrate intercept interleave interpolate introduce invalidate invert
    invoke isolate iterate join judge keep kill label lay learn leave lend
    lengthen let level lift limit link list listen load localise lock log
    look loop loosen lose lower maintain make manage map mark mask match
    measure mention merge migrate mirror mitigate mix mock model modernise
    modernize monitor move name narrow need negotiate nest normalise
    normalize note notify number observe obtain offer offload omit open
    operate optimise optimize order organise override own pace pack pad
    parameterise parametrise parse partition pass patch pause peel perform
    permit persist perturb pick pin place plan play plug point poll pool
    pop populate port post postpone prefer prefix preload prepare preserve
    predict prevent print prioritise probe process produce profile promote
    propagate propose protect prove provide provoke prune publish pull
    punch purge push put quote raise randomise randomize rank rate raze
    reach read reap rearm rebase rebuild receive recheck reclaim recognise
    recognize recompute reconnect record recover recycle redefine redial
    redirect redo reduce refactor refer refresh refuse regenerate register
    regroup reimplement reinstate reject relabel relate relax relay
    release reload relocate rely remember remove rename renew reorder
    reorganise repair repeat rephrase replace replay reply repoint report
    represent reproduce request require reread rescan reschedule resend
    reserve reset reshape resize resolve respect respond restart restore
    restrict restructure resume retain retarget rethink retire retransmit
    retry return reuse revert review revise revoke rewind reword rework
    rewrite roll rotate round route run sample sanitise satisfy saturate
    save say scale scan schedule scope script scrub seal search secure seed
    segment select send separate sequence serialise serialize serve set
    settle shape share shed shield shift ship shorten show shrink shuffle
    shut sign signal signpost simplify simulate size sketch skip slow
    smooth sort spare spawn specialise specify speed spell spend split
    spread squash stabilise stage stamp standardise start stash state
    steal step stick stop store stream strengthen stress stretch strip
    structure stub style subscribe substitute supersede supply support
    suppress surface survive suspend swap sweep switch synchronise
    synchronize tabulate tag take tally target teach tell terminate test
    thread throttle tidy tie tighten time toggle tolerate top touch trace
    track translate transmit trap treat trigger trim truncate trust try
    tune turn type unbind unblock undo unfold unify unlink unlock
    unregister unroll unsubscribe untangle unwrap update upgrade uphold
    use validate vary verify version visit void wait wake walk warn watch
    weaken weigh widen wipe wire withdraw work wrap write yield zero""".split()

WORD = re.compile(r"[A-Za-z][A-Za-z0-9_]*(?:['-][A-Za-z]+)*")


def matcher(words):
    """Matches one of the words, but no part of a name and no function()."""
    return re.compile(r"(?<![\w.>\"-])(?:%s)(?:'s)?(?![\w(-])" %
                      "|".join(sorted(words, key=len, reverse=True)), re.I)


KINDS = {"who": matcher(WHO), "told": matcher(TOLD), "verbs": matcher(VERBS)}
SUBJECT = re.compile(r"[a-z0-9_./*{}-]+(?:, [a-z0-9_./*{}-]+)*: "
                     r"([a-z]+)(?:ly)?\b.*[^.\s]$")

C_TOKEN = re.compile(
    r"//(?:\\\n|[^\n])*|/\*.*?\*/|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'",
    re.S)


def lines_from(text, start):
    return [(start + i, line) for i, line in enumerate(text.split("\n"))]


def of_c(text):
    """Splits C or JavaScript into its comments and its string literals."""
    comments, strings = [], []
    at, line = 0, 1
    for m in C_TOKEN.finditer(text):
        line += text.count("\n", at, m.start())
        at = m.start()
        token = m.group()
        if token.startswith("/*"):
            comments += lines_from(token[2:-2], line)
        elif token.startswith("//"):
            comments += lines_from(token[2:], line)
        elif token.startswith('"'):
            strings.append((line, token[1:-1]))
    return comments, strings


def of_shell(text):
    return [(n, line.strip()[1:]) for n, line in lines_from(text, 1)
            if line.lstrip().startswith("#") and not line.startswith("#!")]


def is_left_out(path):
    parts = path.split("/")
    return any(p in ("vectors", "corpus", "node_modules", "build", ".git")
               for p in parts) or parts[-1] in ("COPYING", "package-lock.json")


# The description of the protocol is left out: it is as long as all the rest
# together, and its words are those of another subject.
def is_document(path):
    return path in ("README.md", "NEWS", "SECURITY.md", "CONTRIBUTING.md") or \
        path.startswith("doc/") and path.endswith((".md", ".1", ".5", ".8")) \
        and not path.startswith("doc/protocol/")


def read(path):
    with open(path, encoding="utf-8", errors="replace") as f:
        return f.read()


def texts(path):
    """Yields (kind of text, [(line number, text)]) for each part of a file."""
    if is_document(path):
        yield "user texts", lines_from(read(path), 1)
    elif path.endswith((".c", ".h")) and path.startswith(("src/", "tests/")):
        comments, strings = of_c(read(path))
        yield "comments", [c for c in comments if "SPDX-License" not in c[1]]
        if path.startswith("src/"):
            yield "user texts", [s for s in strings if " " in s[1]]
    elif path.startswith(("scripts/", "tests/")) and path.endswith(".js"):
        yield "comments", [c for c in of_c(read(path))[0]
                           if "SPDX-License" not in c[1]]
    elif path.startswith(("scripts/", "tests/")) and is_shell(path):
        yield "comments", [c for c in of_shell(read(path))
                           if "SPDX-License" not in c[1]]


def is_shell(path):
    if path.endswith("words.sh"):  # its lists are no prose
        return False
    if path.endswith(".sh"):
        return True
    if "." in os.path.basename(path):
        return False
    with open(path, "rb") as f:
        return re.match(rb"#! ?/(usr/)?bin/(env )?(ba)?sh", f.readline())


def files(paths):
    for path in paths or [".", ]:
        path = os.path.normpath(path)
        if not os.path.isdir(path):
            if not is_left_out(path):
                yield path
            continue
        for at, dirs, names in os.walk(path):
            at = os.path.normpath(at)
            dirs[:] = sorted(d for d in dirs if not is_left_out(d) and (
                at != "." or d in ("src", "tests", "scripts", "doc")))
            for name in sorted(names):
                name = os.path.normpath(os.path.join(at, name))
                if not is_left_out(name) and not os.path.islink(name):
                    yield name


class Figures:
    def __init__(self):
        self.words = {"comments": 0, "user texts": 0}
        self.hits = {}

    def add(self, text, line):
        self.words[text] += len(WORD.findall(line))
        for kind, pattern in KINDS.items():
            self.hits[text, kind] = self.hits.get((text, kind), 0) + \
                len(pattern.findall(line))

    def rate(self, text, kind):
        words = self.words[text]
        return 1000.0 * self.hits.get((text, kind), 0) / words if words else 0


def collect(paths, listing):
    total, by_dir = Figures(), {}
    for path in files(paths):
        own = by_dir.setdefault(os.path.dirname(path) or ".", Figures())
        for text, lines in texts(path):
            for number, line in lines:
                total.add(text, line)
                own.add(text, line)
                if listing:
                    show(path, number, text, line)
    return total, by_dir


def show(path, number, text, line):
    for kind in ("who", "told"):
        if text == "user texts" and kind == "told":
            continue
        hits = KINDS[kind].findall(line)
        if hits:
            print("%s:%d: %s: %s" % (path, number, ", ".join(hits),
                                     line.strip(" \t*")))


def print_by_dir(by_dir):
    print("%-24s %8s %6s %6s %6s %10s %6s" % (
        "per 1,000 words", "comments", "who", "told", "verbs", "user texts",
        "who"))
    for name, f in sorted(by_dir.items()):
        if not any(f.words.values()):
            continue
        print("%-24s %8d %6.1f %6.1f %6.1f %10d %6.1f" % (
            name, f.words["comments"], f.rate("comments", "who"),
            f.rate("comments", "told"), f.rate("comments", "verbs"),
            f.words["user texts"], f.rate("user texts", "who")))


def git(*args):
    try:
        return subprocess.run(("git",) + args, text=True, check=True,
                              stdout=subprocess.PIPE,
                              stderr=subprocess.DEVNULL).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def bad_subjects(base):
    """Returns the subjects of wrong form, or None if there is no history."""
    top = git("rev-parse", "--show-toplevel")
    if top is None or os.path.realpath(top) != os.path.realpath("."):
        return None
    if git("merge-base", "--is-ancestor", base, "HEAD") is None:
        return None
    log = git("log", "--no-merges", "--format=%h %s", base + "..HEAD")
    if log is None:
        return None
    bad = []
    for line in log.splitlines():
        commit, _, subject = line.partition(" ")
        m = SUBJECT.match(subject)
        if not m or m.group(1) not in IMPERATIVES:
            bad.append("%s: not \"module: imperative\": %s" %
                       (commit, subject))
    return bad


def check(name, value):
    how, bar = BARS[name]
    good = {"<": value < bar, "<=": value <= bar, ">": value > bar}[how]
    print("%-18s %6.2f  bar %s %s%s" % (
        name, value, how, bar, "" if good else "  FAILS"))
    return good


def main(args):
    listing = by_dir_wanted = False
    tree, base, paths = None, os.environ.get("WORDS_BASE", BASE), []
    while args:
        arg = args.pop(0)
        if arg == "--list":
            listing = True
        elif arg == "--by-dir":
            by_dir_wanted = True
        elif arg == "--tree" and args:
            tree = args.pop(0)
        elif arg.startswith("-"):
            print("usage: words.sh [--list | --by-dir] [--tree TREE] "
                  "[PATH...]", file=sys.stderr)
            return 2
        else:
            paths.append(arg)
    if tree is None:
        tree = os.environ["WORDS_HOME"]
        if not os.path.isdir(os.path.join(tree, "src/base")):
            tree = git("rev-parse", "--show-toplevel") or "."
    tree = os.path.abspath(tree)
    if os.path.abspath(".").startswith(tree + os.sep):
        paths = [os.path.relpath(p, tree) for p in paths]
    paths = [os.path.relpath(p, tree) if os.path.isabs(p) else p
             for p in paths]
    os.chdir(tree)
    total, by_dir = collect(paths, listing)
    bad = None if paths else bad_subjects(base)
    if listing:
        for line in bad or []:
            print(line)
        return 0
    if by_dir_wanted:
        print_by_dir(by_dir)
        return 0
    good = True
    for name in BARS:
        if name == "commits":
            continue
        text, kind = name.split(", ")
        if total.words[text]:
            good &= check(name, total.rate(text, kind))
    if bad is not None:
        for line in bad:
            print(line)
        good &= check("commits", len(bad))
    elif not paths:
        print("commits            skipped: no git history back to " + base)
    return 0 if good else 1


signal.signal(signal.SIGPIPE, signal.SIG_DFL)
sys.exit(main(sys.argv[1:]))
EOF
