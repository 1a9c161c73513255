#!/bin/sh
# Prints the first Python that is new enough; says in one line what was found and what is needed otherwise.
needed=3.11
found=""
for candidate in "${PYTHON:-python3}" python3.14 python3.13 python3.12 python3.11 python; do
    version=$("$candidate" -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
    if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        command -v "$candidate"
        exit 0
    fi
    found="$found $version"
done
if [ -n "$found" ]; then found="found:$found"; else found="not found"; fi
echo "python $found, needed: $needed or newer (install it, or name one: make PYTHON=path ...)" >&2
exit 1
