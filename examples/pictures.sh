#!/usr/bin/env bash
# Draws the pictures of the README and of the guide from one run of the example `show`.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
run=target/show.jsonl

picture() {
    cargo run --quiet --features picture --example picture -- "$run" "$@"
}

# The guide contains its pictures: rustdoc copies no files.
guide() {
    local name=$1 alt=$2
    shift 2
    {
        printf '<img alt="The board of the example show %s" ' "$alt"
        printf 'src="data:image/svg+xml;base64,'
        picture "$@" --rows 14 --at 3.5 | base64 | tr -d '\n'
        printf '">\n'
    } >"src/guide/pictures/$name.html"
}

mkdir -p target examples/pictures src/guide/pictures
cargo run --quiet --features json --example show -- --record "$run" 2>target/show.log
picture --rows 20 >examples/pictures/show.svg
guide show-80 "at 80 columns" --columns 80
guide show-50 "at 50 columns" --columns 50
guide classic-80 "with the classic theme" --classic
