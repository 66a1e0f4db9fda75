#!/bin/sh
# miniapm-check SHA [ENV [SECONDS]]: exits 1 when that deploy regressed, 0 for everything else
api="${MINIAPM_URL:-https://miniapm.example}/api/v1/deploys"
ask() { curl -fsS -m 60 -H "Authorization: Bearer $MINIAPM_API_KEY" "$@"; }
end=$(($(date +%s) + ${3:-900}))
while :; do
  id=$(ask -G "$api" --data-urlencode "q=$1" --data-urlencode "env=${2:-production}" \
    -d status=succeeded -d limit=1 | sed -n 's/^{"items":\[{"id":"\([0-9]*\)".*/\1/p')
  impact=$([ -z "$id" ] || ask "$api/$id/impact?wait=25")
  verdict="${impact%%,\"endpoints\":*}"
  case "$verdict" in
    '' | *'"outcome":"pending"'*) verdict='no verdict in time' ;;
    *) break ;;
  esac
  [ "$(date +%s)" -lt "$end" ] || break
  sleep 5
done
printf '%s\n' "miniapm: $verdict"
case "$verdict" in *'"outcome":"regressed"'*) exit 1 ;; esac
