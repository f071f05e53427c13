#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
#
# The checks of the source, step by step, in builds of their own under build/check/. The last line counts what passed
# and what failed: every test of every test run, and each step that is no test run (or ends before its tests) as one.
# usage: tools/check.sh [STEP...]
# The step `test` is `make test`, `all` is all the others and what is done if none is named. Fails if anything failed.
set -u -o pipefail
cd "$(dirname "$0")/.." || exit 1
export LC_ALL=C CLICOLOR=0 UBSAN_OPTIONS=halt_on_error=1:print_stacktrace=1

builds=build/check
steps=(format cppcheck gcc clang tidy address-gcc address-clang thread-gcc thread-clang valgrind)
passed=0 failed=0 skipped=0
broken=()

sources()
{
    find . -path ./build -prune -o -type f \( -name '*.c' "$@" \) -print | sort
}

# configure NAME COMPILER OPTION...: a build in $builds/NAME.
configure()
{
    local name=$1 compiler=$2
    shift 2
    mkdir -p "$builds"
    [ -f "$builds/$name/build.ninja" ] ||
        CC=$compiler meson setup "$builds/$name" --buildtype=debugoptimized "$@" >"$builds/$name.log" ||
        { cat "$builds/$name.log"; return 1; }
}

# built_tests NAME COMPILER [SETUP-OPTION...] -- TEST-OPTION...: builds, and runs the tests chosen. Without random
# addresses where that is allowed: ThreadSanitizer wants its shadow where some kernels' random ones get in the way.
built_tests()
{
    local name=$1 compiler=$2 options=() fixed=()
    shift 2
    while [ "$1" != -- ]; do
        options+=("$1")
        shift
    done
    shift
    ! setarch -R true 2>/dev/null || fixed=(setarch -R)
    configure "$name" "$compiler" "${options[@]}" && ninja -C "$builds/$name" --quiet &&
        "${fixed[@]}" meson test -C "$builds/$name" --no-rebuild --print-errorlogs --logbase checklog "$@"
}

format()
{
    sources -o -name '*.h' | xargs clang-format --dry-run --Werror
}

# Reads the compiler's arguments from the build with clang.
tidy()
{
    configure clang clang --werror || return 1
    sources | xargs -P "$(nproc)" -n 1 clang-tidy --quiet -p "$builds/clang" 2>&1 |
        { grep -v '^[0-9]* warnings\? generated\.$' || true; }
}

cpp_check()
{
    sources | xargs cppcheck --quiet --std=c11 --enable=warning,performance,portability --inline-suppr \
        --suppress=missingIncludeSystem -D_GNU_SOURCE -D__linux__ -D__x86_64__ -I. -Iinclude \
        --error-exitcode=1 -j "$(nproc)"
}

# Adds the results in the log of a test run. False if no test of it failed.
tally()
{
    local all good skips bad
    all=$(grep -c '"result": ' "$1")
    good=$(grep -cE '"result": "(OK|EXPECTEDFAIL)"' "$1")
    skips=$(grep -c '"result": "SKIP"' "$1")
    bad=$((all - good - skips))
    passed=$((passed + good)) skipped=$((skipped + skips)) failed=$((failed + bad))
    [ $bad -gt 0 ]
}

# step NAME LOG COMMAND...: LOG is where the test run leaves its results, or - if the command is none. A test run
# without results has failed, whatever its exit status.
step()
{
    local name=$1 log=$2 started=$SECONDS result=0
    shift 2
    printf '\n=== %s\n' "$name"
    rm -f "$log"
    "$@" || result=$?
    [ "$log" = - ] || [ -s "$log" ] || { echo "no test was run"; result=1; }
    if [ "$log" = - ] && [ $result = 0 ]; then
        passed=$((passed + 1))
    elif ! { [ -f "$log" ] && tally "$log"; } && [ $result != 0 ]; then
        failed=$((failed + 1))
    fi
    [ $result = 0 ] || broken+=("$name")
    printf -- '--- %s: %s, %d s\n' "$name" "$([ $result = 0 ] && echo passed || echo FAILED)" $((SECONDS - started))
}

# built_step NAME COMPILER …: the step that built_tests with these arguments is. Meson adds the name of a --setup to
# that of the log; here that is the step's own.
built_step()
{
    local log=checklog
    [ "$1" != valgrind ] || log=checklog-valgrind
    step "$1" "$builds/$1/meson-logs/$log.json" built_tests "$@"
}

# sanitized_step NAME SANITIZERS TEST-OPTION...: NAME is KIND-COMPILER.
sanitized_step()
{
    local name=$1 sanitizers=$2
    shift 2
    built_step "$name" "${name#*-}" "-Db_sanitize=$sanitizers" -Db_lundef=false -- -t 5 "$@"
}

run_step()
{
    case $1 in
    all) for name in "${steps[@]}"; do run_step "$name"; done ;;
    test) step test build/meson-logs/testlog.json make --no-print-directory test ;;
    format) step format - format ;;
    cppcheck) step cppcheck - cpp_check ;;
    tidy) step tidy - tidy ;;
    gcc | clang) built_step "$1" "$1" --werror -- --suite build ;;
    # The conformance suite is long: each sanitizer sees it once, in the build of one compiler.
    address-gcc) sanitized_step "$1" address,undefined --suite unit --suite conformance --suite cli ;;
    address-clang) sanitized_step "$1" address,undefined --suite unit --suite cli ;;
    thread-gcc) sanitized_step "$1" thread --suite threads --no-suite conformance ;;
    thread-clang) sanitized_step "$1" thread --suite threads ;;
    valgrind) built_step "$1" gcc -- --setup valgrind --suite unit --no-suite linux --no-suite long ;;
    *)
        echo "check: there is no step '$1'; the steps are: test all ${steps[*]}" >&2
        exit 2
        ;;
    esac
}

[ $# -gt 0 ] || set -- all
for asked; do run_step "$asked"; done

printf '\n'
[ ${#broken[@]} = 0 ] || echo "failed: ${broken[*]}"
[ "$skipped" = 0 ] || echo "skipped tests: $skipped (their logs under build/ say why)"
echo "$passed passed, $failed failed"
[ ${#broken[@]} = 0 ]
