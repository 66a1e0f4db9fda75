#!/bin/sh
# miniapm-check SHA [ENV [SECONDS [SERVICE]]]: exits 1 when that deploy regressed, 0 for everything
# else; ENV and SERVICE are those of the key unless they are given
api="${MINIAPM_URL:-https://miniapm.example}/api/v1"
give_up() { printf 'miniapm: NOT CHECKED: %s\n' "$1" >&2; exit 0; }
ask() {  # leaves the answer in $got
  got=$(curl -sS -m 60 -w '%{http_code}' -H "Authorization: Bearer $MINIAPM_API_KEY" "$@")
  status=${got#"${got%???}"} got=${got%???}
  case "$status" in 400 | 401 | 403) give_up "$status $got" ;; esac
  [ "$status" = 200 ]
}
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
key='' verdict='' end=$(($(date +%s) + ${3:-900}))
while :; do
  if [ -n "$key" ] || { ask "$api/key" && key=$got; }; then
    env=${2:-$(printf %s "$key" | field env)} service=${4:-$(printf %s "$key" | field service)}
    ask -G "$api/deploys" --data-urlencode "q=$1" --data-urlencode "env=${env:-production}" \
      --data-urlencode "service=$service" -d status=succeeded || got=''
    found=$(printf %s "$got" | tr '{' '\n' | grep -F "\"git_sha\":\"$1")
    [ "$(printf '%s\n' "$found" | field service | sort -u | wc -l)" -le 1 ] ||
      give_up 'several services have deployed this commit: give SERVICE'
    id=$(printf '%s\n' "$found" | head -n 1 | field id)
    [ -z "$id" ] || ! ask "$api/deploys/$id/impact?wait=25" || verdict="${got%%,\"endpoints\":*}"
    case "$verdict" in '' | *'"outcome":"pending"'*) verdict='' ;; *) break ;; esac
  fi
  [ "$(date +%s)" -lt "$end" ] || give_up 'no verdict in time'
  sleep 5
done
printf '%s\n' "miniapm: $verdict"
case "$verdict" in *'"outcome":"regressed"'*) exit 1 ;; esac
