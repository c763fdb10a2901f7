#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""alloc.py [options] SIMULATOR TEST...: makes allocations fail, one per run.

The programs are built with sanitizers and linked with tests/world/alloc.c. A
first run of each records the sites of allocations: the chains of calls that
lead to one. Chains that are the same within src/ count as one site, whichever
test leads there. Then each site fails once at its first use and once at a later
one, in the program that reaches it soonest.

A crash is a report of a sanitizer, a signal or a run that does not end. A leak
is a report of LeakSanitizer at the end of the program. A test that misses its
expectation because the allocation failed is neither: Check ends it with status
1 and without a report. See doc/faults.md. Exits with 1 after a finding.
"""

import argparse
import concurrent.futures
import glob
import os
import random
import re
import subprocess
import sys
import tempfile
import time

# Scenarios that together reach every module of the core, each in the smallest
# network that it allows.
SCENARIOS = [
    'join --minutes 1',
    'connect --minutes 1 --amount 10',
    'cross --amount 4',
    'punch --amount 1',
    'relaydies --amount 4',
    'restart --minutes 1 --amount 10',
    'lifetime --minutes 1',
    'reach --minutes 1',
    'streams --amount 10',
    'churn --minutes 3',
]

HANG_S = 120
GRACE_S = 10  # first Check itself ends a child that hangs
REPORTS = {'detected memory leaks': 'leak', 'ERROR: AddressSanitizer': 'crash',
           'runtime error': 'crash', 'AddressSanitizer:': 'crash'}


class Program:
    """A test program, or the simulator with a scenario."""

    def __init__(self, path, arguments=()):
        self.path = os.path.abspath(path)
        self.arguments = list(arguments)
        self.name = os.path.basename(path)
        if arguments:
            self.name = 'scenario ' + arguments[2]

    def run(self, environment, leaks=1):
        """Runs it in an empty directory. Returns how it ended, what it logged,
        its output and the reports of sanitizers."""
        with tempfile.TemporaryDirectory(prefix='alloc-') as where:
            env = dict(os.environ, TMPDIR=where, ALLOC_LOG=where + '/log',
                       CK_DEFAULT_TIMEOUT=str(HANG_S),
                       ASAN_OPTIONS='detect_leaks=%d:handle_abort=0:'
                       'log_path=%s/report' % (leaks, where),
                       UBSAN_OPTIONS='print_stacktrace=1:log_path=%s/report'
                       % where, **environment)
            try:
                done = subprocess.run(
                    [self.path] + self.arguments, cwd=where, env=env,
                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT, timeout=HANG_S + GRACE_S,
                    check=False)
                status, output = done.returncode, done.stdout
            except subprocess.TimeoutExpired as e:
                status, output = None, e.stdout or b''
            reports = ''.join(
                open(f, errors='replace').read()
                for f in sorted(glob.glob(where + '/report*')))
            log = ''
            if os.path.exists(where + '/log'):
                log = open(where + '/log').read()
        return status, log, output.decode(errors='replace'), reports


class Use:
    """Where a program reaches a site: in which child, by which chain."""

    def __init__(self, program, child, chain, seconds):
        self.program = program
        self.child = child
        self.chain = chain
        self.seconds = seconds
        self.uses = 1


def symbols(path, addresses):
    """Returns for each return address its function and line."""
    addresses = sorted(addresses)
    text = subprocess.run(
        ['addr2line', '-f', '-e', path],
        input=''.join('%x\n' % (a - 1) for a in addresses), text=True,
        stdout=subprocess.PIPE, check=True).stdout.split('\n')
    return {a: (text[2 * i], text[2 * i + 1])
            for i, a in enumerate(addresses)}


def in_product(frame):
    return '/src/' in frame[1] and '/tests/' not in frame[1]


def product_part(chain, named):
    """Returns the frames up to the first that is not of src/."""
    site = []
    for address in chain:
        if not in_product(named[address]):
            break
        function, where = named[address]
        site.append((function, where.split('/src/')[1].split(' ')[0]))
    return tuple(site)


def record(program):
    """Runs the program and returns its uses by site."""
    start = time.monotonic()
    _, log, output, reports = program.run({}, leaks=0)
    seconds = time.monotonic() - start
    if reports:
        print('FAIL %s without a fault:\n%s' % (program.name, reports))
        sys.exit(1)
    found = {}
    for line in log.splitlines():
        kind, child, chain, uses, *frames = line.split()
        key = (int(child), chain)
        if key not in found:
            found[key] = (Use(program, int(child), chain, seconds),
                          [int(f, 16) for f in frames])
        found[key][0].uses = int(uses)
    named = symbols(program.path,
                    {a for _, frames in found.values() for a in frames})
    sites = {}
    for use, frames in found.values():
        site = product_part(frames, named)
        if site:
            sites.setdefault(site, []).append(use)
    if not log:
        print('FAIL %s logs no allocation:\n%s' % (program.name, output))
        sys.exit(1)
    return sites


def plan(sites):
    """Returns the runs: site, use, its number."""
    runs = []
    for site, uses in sorted(sites.items()):
        uses.sort(key=lambda u: (u.seconds, u.program.name, u.child))
        runs.append((site, uses[0], 1))
        later = [u for u in uses if u.uses > 1]
        if later:
            # A power of two was logged last, so the use surely exists.
            runs.append((site, later[0], max(2, later[0].uses // 2)))
    return runs


def fail_one(run):
    """Makes one allocation fail. Returns the run, its verdict and a text."""
    site, use, number = run
    environment = {'ALLOC_FAIL': '%s:%d' % (use.chain, number)}
    if use.child > 0:
        environment['T_ONLY'] = str(use.child)
    status, log, output, reports = use.program.run(environment)
    verdict = 'ok'
    for sign, kind in REPORTS.items():
        if sign in reports:
            verdict = kind
            break
    if verdict == 'ok' and (status is None or 'Test timeout' in output):
        verdict = 'hang'
    elif verdict == 'ok' and (
            status < 0 or re.search(r'Received signal', output)):
        verdict = 'crash'
    elif verdict == 'ok' and 'failed' not in log.splitlines():
        verdict = 'not reached'
    elif verdict == 'ok' and status != 0:
        verdict = 'ended early' if use.child > 0 else 'checks failed'
    return run, verdict, reports or output


def describe(run):
    site, use, number = run
    return '%s, use %d in %s (T_ONLY=%d ALLOC_FAIL=%s:%d)' % (
        ' < '.join('%s %s' % f for f in site[:4]), number, use.program.name,
        use.child, use.chain, number)


def record_all(pool, programs, o, start):
    """Records all programs, or those that fit a third of the time: all
    scenarios and then tests in the order of the seed."""
    first = [p for p in programs if p.arguments]
    rest = [p for p in programs if not p.arguments]
    random.Random(o.seed).shuffle(rest)
    found = list(pool.map(record, first))
    while rest and not (
            o.seconds and time.monotonic() - start >= o.seconds / 3):
        some, rest = rest[:o.jobs], rest[o.jobs:]
        found += pool.map(record, some)
    return found


def scenario_programs(simulator):
    """Returns the simulator with each scenario and the least size of it."""
    listed = subprocess.run([simulator, '--list'], text=True, check=True,
                            stdout=subprocess.PIPE).stdout
    least = dict(re.findall(r'^(\S+) +nodes +\d+, at least +(\d+)', listed,
                            re.MULTILINE))
    return [Program(simulator, ['--quiet', '--scenario', name, '--nodes',
                                least[name]] + rest)
            for name, *rest in (s.split() for s in SCENARIOS)]


def main():
    p = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    p.add_argument('--seconds', type=int, default=0,
                   help='end after that time; 0: run all')
    p.add_argument('--seed', type=int, default=1, help='order of the runs')
    p.add_argument('--jobs', type=int, default=os.cpu_count())
    p.add_argument('--verbose', action='store_true')
    p.add_argument('simulator')
    p.add_argument('tests', nargs='+')
    o = p.parse_args()
    start = time.monotonic()
    programs = (scenario_programs(o.simulator) +
                [Program(t) for t in o.tests])
    sites, counts = {}, {}
    with concurrent.futures.ThreadPoolExecutor(o.jobs) as pool:
        recorded = record_all(pool, programs, o, start)
        for found in recorded:
            for site, uses in found.items():
                sites.setdefault(site, []).extend(uses)
        runs = plan(sites)
        random.Random(o.seed).shuffle(runs)
        print('%d sites in %d of %d programs, %d runs; recorded in %d s' % (
            len(sites), len(recorded), len(programs), len(runs),
            time.monotonic() - start), flush=True)
        at = 0
        # At least once, however long the recording took.
        while at < len(runs) and (at == 0 or not (
                o.seconds and time.monotonic() - start >= o.seconds)):
            some = runs[at:at + 4 * o.jobs]
            at += len(some)
            for run, verdict, text in pool.map(fail_one, some):
                counts[verdict] = counts.get(verdict, 0) + 1
                if verdict in ('crash', 'leak', 'hang'):
                    print('FAIL %s: %s\n%s' % (
                        verdict, describe(run), text[:6000]), flush=True)
                elif o.verbose:
                    print('%s: %s' % (verdict, describe(run)), flush=True)
    bad = sum(counts.get(v, 0) for v in ('crash', 'leak', 'hang'))
    print('%d of %d runs in %d s: %s' % (
        at, len(runs), time.monotonic() - start,
        ', '.join('%d %s' % (n, v) for v, n in sorted(counts.items()))))
    print('%d crashes, %d leaks, %d hangs' % tuple(
        counts.get(v, 0) for v in ('crash', 'leak', 'hang')))
    print('%d passed, %d failed, 0 skipped' % (at - bad, bad))
    return 1 if bad else 0


if __name__ == '__main__':
    sys.exit(main())
