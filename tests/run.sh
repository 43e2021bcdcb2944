# SPDX-License-Identifier: BSD-3-Clause
# `./dev test [PART…]`, sourced by dev inside the environment. Every part writes JUnit files; the sum of them is the verdict.
parts=("$@")
[ ${#parts[@]} -gt 0 ] || parts=(format cpp python kernel notebooks browser py315 asan tsan)
results=$project/build/test-results
rm -rf "$results"
mkdir -p "$results"
cd "$project"

run_pytest() { # NAME PATH…: in the installed tree
  local name=$1
  shift
  # A shell's background job ignores interrupts, and so would Python.
  timeout -k 10 3000 env --default-signal=INT,QUIT "${python:-python3}" -m pytest -q -rs --timeout=300 --junitxml="$results/$name.xml" "$@" || true
  [ -e "$results/$name.xml" ] || python3 tests/tools/verdict.py --record "$name did not end" "$results/$name.xml"
}

run_ctest() { # NAME PRESET
  build "$2"
  timeout -k 10 1500 ctest --preset "$2" --output-junit "$results/$1.xml" >"$results/$1.log" 2>&1 ||
    grep -vE '^ *[0-9]+/[0-9]+ Test .*Passed|^ +Start ' "$results/$1.log" || true
  [ -e "$results/$1.xml" ] || python3 tests/tools/verdict.py --record "$1 did not end" "$results/$1.xml"
}

check_format() {
  local files
  files=$(git ls-files '*.cpp' '*.hpp' '*.c' '*.h')
  if clang-format --dry-run --Werror $files; then
    python3 tests/tools/verdict.py --record-passed "sources are formatted" "$results/format.xml"
  else
    python3 tests/tools/verdict.py --record "sources are not formatted: clang-format -i" "$results/format.xml"
  fi
}

case " ${parts[*]} " in *" python "* | *" kernel "* | *" notebooks "* | *" browser "* | *" soak "*) installed ci ;; esac

in_315() { # the next version of Python, with what depends on it
  prefix=$project/build/install-3.15 python=python3.15
  export IPYTHONDIR=$results/ipython-3.15 # a history of its own: tests lock it
  installed py315
  "$@"
}

# Alone, a suite keeps little more than half of two cores busy: those of both versions run side by side, each with its
# output in a file until it has ended.
suites_of_both_versions() {
  build py315
  for suite in python kernel; do
    say "test: $suite, py315-$suite"
    (in_315 run_pytest "py315-$suite" "tests/$suite") &>"$results/py315-$suite.log" &
    run_pytest "$suite" "tests/$suite"
    wait $!
    cat "$results/py315-$suite.log"
  done
}

side_by_side=
case " ${parts[*]} " in *" python kernel "*" py315 "*)
  side_by_side=yes
  suites_of_both_versions ;;
esac

for part in "${parts[@]}"; do
  case $side_by_side$part in yespython | yeskernel) continue ;; esac
  say "test: $part"
  case $part in
    format) check_format ;;
    cpp) run_ctest cpp ci ;;
    python | kernel | notebooks | browser | soak) run_pytest "$part" "tests/$part" ;;
    py315)
      (in_315 run_ctest py315-engine py315)
      if [ -z "$side_by_side" ]; then
        (in_315 run_pytest py315-python tests/python)
        (in_315 run_pytest py315-kernel tests/kernel)
      fi ;;
    asan | tsan) run_ctest "$part" "$part" ;;
    *) die "unknown part: $part" ;;
  esac
done
exec python3 tests/tools/verdict.py "$results"
