#!/bin/sh
# Fetches the tar file that curl.conf names, checks it against $SHA256 and unpacks it to /models/repository.
# Where else to look and write is for tests.
set -eu
config=${CURL_CONFIG:-/run/object-store/curl.conf}
models=${MODELS:-/models}
file=$models/repository.tar
if ! expr "$SHA256" : '[0-9a-f]\{64\}$' >/dev/null; then
    echo "fetch: SHA256 is '$SHA256', not the 64 hexadecimal digits that sha256sum prints; set it in your kustomization." >&2
    exit 1
fi
rm -rf "$models/repository" "$models/repository.new" "$file" # of a container that was restarted
echo "fetch: downloading" >&2
curl --config "$config" --fail --silent --show-error --location --retry 5 --retry-connrefused --output "$file" || {
    echo "fetch: curl failed; see its message above, and curl.conf in the Secret panecho-object-store." >&2
    exit 1
}
found=$(sha256sum "$file" | cut -d ' ' -f 1)
if [ "$found" != "$SHA256" ]; then
    echo "fetch: the file's SHA-256 is $found, not $SHA256: another export, or a damaged or forged file. Nothing is served." >&2
    rm -f "$file"
    exit 1
fi
mkdir "$models/repository.new"
tar -x -o -f "$file" -C "$models/repository.new"
rm "$file"
if [ ! -f "$models/repository.new/panecho/config.pbtxt" ]; then
    echo "fetch: the tar file holds no panecho/config.pbtxt; make it inside the repository: tar -cf repository.tar -C REPOSITORY ." >&2
    exit 1
fi
mv "$models/repository.new" "$models/repository"
echo "fetch: ready: $SHA256" >&2
