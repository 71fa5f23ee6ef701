#!/bin/sh
# Fetches the tar file that curl.conf names, checks it against $SHA256 and unpacks it to /models/repository. With identity.conf
# next to curl.conf, a token service first exchanges the pod's identity for credentials (../object-store-identity).
# Where else to look and write is for tests.
set -eu
config=${CURL_CONFIG:-/run/object-store/curl.conf}
identity=${config%/*}/identity.conf
models=${MODELS:-/models}
file=$models/repository.tar
if ! expr "$SHA256" : '[0-9a-f]\{64\}$' >/dev/null; then
    echo "fetch: SHA256 is '$SHA256', not the 64 hexadecimal digits that sha256sum prints; set it in your kustomization." >&2
    exit 1
fi

# Asks the token service; prints options of curl with its credentials: those of AWS and MinIO (XML), or a bearer token (JSON).
credentials() {
    answer=$(curl --config "$identity" --fail-with-body --silent --show-error --retry 5 --retry-connrefused | tr -d '\n')
    key=$(tag AccessKeyId)
    bearer=$(printf '%s' "$answer" | sed -n 's/.*"access_token" *: *"\([^"]*\)".*/\1/p')
    if [ -n "$key" ]; then
        printf 'user = "%s:%s"\nheader = "x-amz-security-token: %s"\n' "$key" "$(tag SecretAccessKey)" "$(tag SessionToken)"
    elif [ -n "$bearer" ]; then
        printf 'header = "Authorization: Bearer %s"\n' "$bearer"
    else
        echo "fetch: the token service of identity.conf gave no credentials: $(printf '%.500s' "$answer")" >&2
        return 1
    fi
}

tag() {
    printf '%s' "$answer" | sed -n "s:.*<$1>\([^<]*\)</$1>.*:\1:p"
}

options=""
follow=--location
if [ -f "$identity" ]; then
    echo "fetch: asking for credentials" >&2
    options=$(credentials)
    follow=--no-location # another host must not see them
fi
rm -rf "$models/repository" "$models/repository.new" "$file" # of a container that was restarted
echo "fetch: downloading" >&2
printf '%s\n' "$options" | curl --config "$config" --config - --fail --silent --show-error "$follow" --retry 5 \
    --retry-connrefused --output "$file" || {
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
