#!/bin/sh
# Says in one line which Node was found and which is needed; silent when it will do.
needed=20
version=$(node --version 2>/dev/null) || {
    echo "node not found, needed: $needed or newer, with npm (https://nodejs.org); the AWS CDK's command line runs on it" >&2
    exit 1
}
major=${version#v}
major=${major%%.*}
if [ "$major" -lt "$needed" ]; then
    echo "node found: ${version#v}, needed: $needed or newer (https://nodejs.org); the AWS CDK's command line runs on it" >&2
    exit 1
fi
npm --version >/dev/null 2>&1 || {
    echo "npm not found beside node ${version#v}, needed: the npm that comes with it" >&2
    exit 1
}
