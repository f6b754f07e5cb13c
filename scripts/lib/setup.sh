# Sourced by ./scripts/demo and ./scripts/test; needs nothing newer than bash 3.2.
#
#   root         the repository
#   setup run    .venv as ./scripts/demo needs it
#   setup dev    .venv as ./scripts/test needs it
#
# The work is done by scripts/lib/setup_env, in Python. What is here finds a Python to do
# it with, and finds out within a few hundredths of a second that there is nothing to do.

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd -P)

setup() {
    local level=$1 key python
    key=$(cd "$root" && {
        printf '%s\n' "$root"
        cpu
        cat pyproject.toml requirements/*.lock scripts/lib/setup.sh scripts/lib/setup_env/*.py
    } | cksum)
    if ! ready "$level" "$key"; then
        python=$(find_python) || exit 1
        # -E and -s: whatever PYTHONPATH and the user's own packages hold, it stays out.
        (cd "$root/scripts/lib" && exec "$python" -Es -m setup_env "$root" "$level" "$key") || exit
    fi
    PATH=$root/.venv/bin:$PATH
    export PATH
    unset PYTHONHOME PYTHONPATH
}

cpu() {  # what this machine computes with: a .venv may be carried to another one
    grep -m1 -E '^(flags|Features)' /proc/cpuinfo 2>/dev/null || sysctl -n machdep.cpu.brand_string 2>/dev/null || uname -m
}

ready() {  # ready LEVEL KEY: is .venv what this checkout asks for?
    local stamped_key='' stamped_level='' stamped_cmake_args=''
    { read -r stamped_key && read -r stamped_level && read -r stamped_cmake_args; } \
        2>/dev/null <"$root/.venv/qwq-gguf-setup" || return 1
    [ "$stamped_key" = "$2" ] || return 1
    # What the tests need includes what the demo needs.
    [ "$stamped_level" = "$1" ] || [ "$stamped_level" = dev ] || return 1
    [ -z "${CMAKE_ARGS-}" ] || [ "$CMAKE_ARGS" = "$stamped_cmake_args" ] || return 1
    # Somebody may have uninstalled something, or updated the Python under it.
    [ -x "$root/.venv/bin/qwq-gguf" ] || return 1
    "$root/.venv/bin/python" -c 'import importlib.util as u; assert u.find_spec("llama_cpp")' 2>/dev/null
}

find_python() {  # prints the first Python that will do
    local candidate found=''
    for candidate in ${PYTHON:+"$PYTHON"} python3 python python3.13 python3.12 python3.11 python3.14; do
        command -v "$candidate" >/dev/null || continue
        # Pythons without venv or pip (Debian packages them apart) cannot make .venv.
        case $("$candidate" -c '
import sys
try:
    import ensurepip, venv
    print("yes" if sys.version_info >= (3, 11) else "old")
except ImportError:
    print("bare" if sys.version_info >= (3, 11) else "old")
' 2>/dev/null) in
            yes)
                printf '%s\n' "$candidate"
                return 0
                ;;
            bare) found=bare ;;
            old) [ -n "$found" ] || found=old ;;
        esac
    done
    case $found in
        bare)
            echo "Python 3.11 or newer is here, but cannot make virtual environments." >&2
            echo "  try: sudo apt-get install python3-venv (Debian, Ubuntu), then run this again" >&2
            ;;
        *)
            echo "Python 3.11 or newer is needed${found:+, and only an older one was found}." >&2
            echo "  try: sudo apt-get install python3 python3-venv, brew install python, or python.org," >&2
            echo "  then run this again, with PYTHON=/path/to/python3 if it is in an unusual place" >&2
            ;;
    esac
    return 1
}
