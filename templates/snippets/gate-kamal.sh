[ "$KAMAL_COMMAND" != rollback ] || exit 0  # a rollback is never rolled back in turn
export MINIAPM_URL="${MINIAPM_URL:-https://miniapm.example}"
check() {
  miniapm check --sha "${KAMAL_VERSION%%_*}" --env "${KAMAL_DESTINATION:-production}" "$@"
}
code=0
check || code=$?
[ "$code" -ne 0 ] || exit 0
[ "$code" -eq 1 ] || { echo "miniapm: NOT CHECKED (exit $code)" >&2; exit 0; }
previous=$(check --wait 0 --json |
  sed -n 's/^  "previous_version": "\([0-9A-Za-z][0-9A-Za-z_.-]*\)",*$/\1/p')
[ -z "$previous" ] || kamal rollback ${KAMAL_DESTINATION:+-d "$KAMAL_DESTINATION"} "$previous"
exit 1
