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
  timeout -k 10 1500 "${python:-python3}" -m pytest -q -rs --timeout=300 --junitxml="$results/$name.xml" "$@" || true
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

for part in "${parts[@]}"; do
  say "test: $part"
  case $part in
    format) check_format ;;
    cpp) run_ctest cpp ci ;;
    python | kernel | notebooks | browser | soak) run_pytest "$part" "tests/$part" ;;
    py315) ( # the next version of Python, with what depends on it
      prefix=$project/build/install-3.15 python=python3.15
      installed py315
      run_ctest py315-engine py315
      run_pytest py315-python tests/python
      run_pytest py315-kernel tests/kernel
    ) ;;
    asan | tsan) run_ctest "$part" "$part" ;;
    *) die "unknown part: $part" ;;
  esac
done
exec python3 tests/tools/verdict.py "$results"
