#!/bin/sh
# Usage: sh requirements/install.sh run|dev
# Makes .venv, installs the locked packages (by hash) and puts the project and its command `fluxai` into it.
# The project is linked by a .pth file: no build backend, so nothing beyond the locked packages is downloaded.
set -eu
cd "$(dirname "$0")/.."
want="requirements/$1.txt"
py=.venv/bin/python

say() { echo "$*" >&2; }

if [ ! -x "$py" ]; then
    base=
    for candidate in "${PYTHON:-python3}" python3.11 python3.12 python3.13; do
        if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then base=$candidate; break; fi
    done
    if [ -z "$base" ]; then say "No Python 3.11 or newer found. Install one, or name it: make PYTHON=/path/to/python3.11 run"; exit 1; fi
    say "Making .venv with $("$base" --version 2>&1)"
    if ! "$base" -m venv .venv; then
        rm -rf .venv
        say "$base cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"; exit 1
    fi
fi

# pip's own settings for a company's index hold for uv too.
index=${PIP_INDEX_URL:-$("$py" -m pip config get global.index-url 2>/dev/null || "$py" -m pip config get user.index-url 2>/dev/null || true)}
if [ -n "$index" ] && [ -z "${UV_INDEX_URL:-}${UV_DEFAULT_INDEX:-}" ]; then UV_DEFAULT_INDEX=$index; export UV_DEFAULT_INDEX; fi

say "Installing $want"
quick() {
    "$py" -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt \
        && "$py" -m uv pip install --quiet --python "$py" --require-hashes -r "$want"
}
if ! quick; then
    say "uv could not install them; trying pip, which takes about a minute"
    "$py" -m pip install --quiet --disable-pip-version-check --require-hashes -r "$want"
fi

root=$(pwd)
site=$("$py" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
echo "$root" > "$site/fluxai.pth"
printf '#!/bin/sh\nexec "%s/.venv/bin/python" -P -m pipeline.cli.main "$@"\n' "$root" > .venv/bin/fluxai
chmod +x .venv/bin/fluxai
