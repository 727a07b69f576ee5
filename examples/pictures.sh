#!/usr/bin/env bash
# Draws the pictures of the README and of the guide from one run of the example `show`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
run=target/show.jsonl

picture() {
    cargo run --quiet --features picture --example picture -- "$run" "$@"
}

cargo run --quiet --features json --example show -- --record "$run" 2>target/show.log
mkdir -p examples/pictures src/guide/pictures
picture --rows 20 >examples/pictures/show.svg

# The guide contains its pictures: rustdoc copies no files.
for columns in 80 50; do
    {
        printf '<img alt="The board of the example show at %d columns" ' "$columns"
        printf 'src="data:image/svg+xml;base64,'
        picture --columns "$columns" --rows 14 --at 3.5 | base64 | tr -d '\n'
        printf '">\n'
    } >"src/guide/pictures/show-$columns.html"
done
